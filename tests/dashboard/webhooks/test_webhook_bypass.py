"""Webhooks bypass Django's handler: only their path, the complete body, and no error is acknowledged."""

from __future__ import annotations

from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse, JsonResponse

from dashboard.http.webhook_bypass import WebhookBypass
from tests.waiting import DEADLINE

PATH = "/deliveries/"


async def pages(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def echo(request: HttpRequest) -> HttpResponse:
    if request.headers.get("X-Break"):
        raise ValueError("a bug")
    return JsonResponse({"bytes": len(request.body), "method": request.method})


def exchange(path: str, *headers: tuple[bytes, bytes]) -> ApplicationCommunicator:
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [*headers]}
    talk = ApplicationCommunicator(WebhookBypass(pages, PATH, echo, max_body_bytes=10), scope)
    talk.scope = scope
    return talk


async def answer(
    path: str, *parts: bytes, headers: tuple[tuple[bytes, bytes], ...] = ()
) -> tuple[int, dict[bytes, bytes], bytes]:
    talk = exchange(path, *headers)
    for number, part in enumerate(parts, start=1):
        await talk.send_input({"type": "http.request", "body": part, "more_body": number < len(parts)})
    start, body = await talk.receive_output(DEADLINE), await talk.receive_output(DEADLINE)
    return start["status"], dict(start["headers"]), body["body"]


async def test_the_view_gets_the_complete_body() -> None:
    status, headers, body = await answer(PATH, b"12", b"345")
    assert (status, body) == (200, b'{"bytes": 5, "method": "POST"}')
    assert headers[b"content-length"] == b"30"


async def test_other_paths_go_to_the_pages() -> None:
    assert (await answer("/", b""))[0] == 204
    assert (await answer(f"{PATH}more", b""))[0] == 204


async def test_only_the_beginning_of_a_body_that_is_too_large_is_held() -> None:
    _, _, body = await answer(PATH, b"12345678", b"12345678", b"12345678", b"12345678")
    assert body == b'{"bytes": 16, "method": "POST"}'


async def test_a_query_string_with_invalid_bytes_is_no_error() -> None:
    talk = exchange(PATH)
    talk.scope["query_string"] = b"\x80\xff"
    await talk.send_input({"type": "http.request", "body": b"1"})
    assert (await talk.receive_output(DEADLINE))["status"] == 200


async def test_an_unreadable_header_is_a_bad_request() -> None:
    status, _, body = await answer(PATH, b"1", headers=((b"content-type", b"a;" * 6000),))
    assert (status, body) == (400, b"")


async def test_an_error_is_not_acknowledged(caplog: pytest.LogCaptureFixture) -> None:
    status, _, body = await answer(PATH, b"1", headers=((b"x-break", b"1"),))
    assert (status, body) == (500, b"")
    assert "Could not ingest a delivery" in caplog.text


async def test_nothing_is_ingested_from_a_sender_that_disconnects() -> None:
    talk = exchange(PATH)
    await talk.send_input({"type": "http.request", "body": b"12", "more_body": True})
    await talk.send_input({"type": "http.disconnect"})
    await talk.wait()
    assert await talk.receive_nothing()  # shows that nothing is sent
