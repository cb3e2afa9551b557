"""The receiver under requests that are made up at random: no error of ours, and no row for what is not signed for us."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import closing, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from executions.core import runtime
from executions.models import WebhookDelivery
from executions.videogen import BadSignature, verify
from tests.dashboard.serving import Serving
from tests.factories import jobs
from tests.factories.deliveries import SECRET, URL
from tests.security import fuzzing
from tests.security.fuzzing import Fuzzed, Tally
from tests.security.test_receiver_wire import alive, status, stored

# By chance only where somebody asked for many: a test of every day is the same every day.
COMMON = settings(
    deadline=None,
    database=None,
    derandomize="FUZZ_REQUESTS" not in os.environ,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)


async def answer(application: Any, request: Fuzzed) -> int:
    """The status that it is answered with; 0 for a sender who left."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": URL,
        "raw_path": URL.encode(),
        "query_string": request.query,
        "root_path": "",
        "headers": request.headers,
        "client": ("127.0.0.1", 1),
        "server": ("testserver", 80),
    }
    last = len(request.parts) - 1
    messages = [
        {"type": "http.request", "body": part, "more_body": request.leaves or number < last}
        for number, part in enumerate(request.parts)
    ]
    messages.append({"type": "http.disconnect"})
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    return int(sent[0]["status"]) if sent else 0


@pytest.mark.django_db(transaction=True)
def test_no_request_is_an_error_of_ours_and_none_that_is_not_signed_is_kept() -> None:
    """Faults 26 to 30: whatever comes is answered below 500, and only what is signed for us leaves a row."""
    from dashboard.asgi import application

    loop = asyncio.new_event_loop()
    tally, signed_ids = Tally(), set[str]()

    def run(work: Any) -> Any:
        return loop.run_until_complete(work)

    run(runtime.in_db(jobs.running, fuzzing.KNOWN[0]))
    ended = run(runtime.in_db(jobs.running, fuzzing.KNOWN[1]))
    run(runtime.in_db(jobs.report, ended, "failed"))

    @settings(COMMON, max_examples=fuzzing.REQUESTS // fuzzing.VOLLEY)
    @given(fuzzing.volleys())
    def volley(requests: list[Fuzzed]) -> None:
        for request in requests:
            one(request)
        assert run(runtime.in_db(newest)) <= signed_ids | ANYWAY

    def one(request: Fuzzed) -> None:
        code = run(answer(application, request))
        tally.note(code)
        assert code < 500
        if request.webhook_id:
            signed_ids.add(request.webhook_id)
        elif not request.leaves:
            assert 400 <= code < 500 or (code == 200 and _is_signed_anyway(request))

    try:
        volley()
        strangers = run(runtime.in_db(ids)) - signed_ids
    finally:
        run(asyncio.sleep(0))  # a last turn of the loop, for what was cancelled
        loop.close()
    print(f"\n{sum(tally.statuses.values())} requests: {dict(sorted(tally.statuses.items()))}")
    assert strangers <= ANYWAY
    # All ways were gone, not only the first refusal.
    assert {200, 400, 401, 405} <= tally.statuses.keys()


ANYWAY: set[str] = set()


def _is_signed_anyway(request: Fuzzed) -> bool:
    """Made-up headers beside good ones may leave the good ones in force."""
    told: dict[str, str] = {}
    for name, value in request.headers:
        key = name.decode("latin-1").replace("_", "-")
        told[key] = f"{told[key]},{value.decode('latin-1')}" if key in told else value.decode("latin-1")
    try:
        ANYWAY.add(verify(told, request.body, [SECRET]).webhook_id)
    except BadSignature:
        return False
    return True


def newest() -> set[str]:
    return set(WebhookDelivery.objects.order_by("-id").values_list("webhook_id", flat=True)[: fuzzing.VOLLEY])


def ids() -> set[str]:
    return set(WebhookDelivery.objects.values_list("webhook_id", flat=True))


def test_nothing_on_the_wire_is_an_error_of_ours(serving: Serving) -> None:
    """Faults 26 to 30, over TCP: answered below 500 or dropped, no row, and the server goes on."""
    before, tally = stored(serving), Tally()

    @settings(COMMON, max_examples=fuzzing.ON_THE_WIRE // fuzzing.VOLLEY)
    @given(fuzzing.volleys())
    def volley(requests: list[Fuzzed]) -> None:
        for request in requests:
            one(request)

    def one(request: Fuzzed) -> None:
        request.headers = [(name, value) for name, value in request.headers if name != b"webhook-signature"]
        code = status(sent(serving, request))
        tally.note(code)
        assert code < 500

    volley()
    print(f"\n{sum(tally.statuses.values())} requests on the wire: {dict(sorted(tally.statuses.items()))}")
    assert stored(serving) == before
    alive(serving)
    assert "Traceback" not in serving.errors


def sent(serving: Serving, request: Fuzzed) -> bytes:
    """The answer to the request as it stands, line breaks in its headers included."""
    lines = [
        f"{request.method} {URL}?".encode() + request.query.translate(None, b" \r\n") + b" HTTP/1.1",
        b"host: 127.0.0.1",
    ]
    lines += [name + b": " + value for name, value in request.headers]
    lines += [f"content-length: {len(request.body)}".encode(), b"connection: close"]
    with closing(socket.create_connection((serving.host, serving.port), 10)) as wire:
        wire.settimeout(10)
        with suppress(ConnectionError):
            wire.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + request.body)
            wire.shutdown(socket.SHUT_WR)
        heard = b""
        with suppress(TimeoutError, ConnectionError):
            while b"\r\n\r\n" not in heard and (more := wire.recv(65536)):
                heard += more
        return heard
