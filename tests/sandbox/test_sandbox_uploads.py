"""Receiving uploads: URLs, sizes, content types and interrupted connections."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processes import peak_memory
from tests.sandbox.media import UPLOAD, hydrate, png, reserve
from tests.sandbox.process import SandboxServer
from tests.waiting import DEADLINE, eventually


def error(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["message"]


def test_upload_url_works_once(sandbox: SandboxServer) -> None:
    file_id, url = reserve(sandbox)
    assert httpx.put(url, content=png()).status_code == 200
    assert error(httpx.put(url, content=png())) == (403, "This upload URL has already been used.")
    sandbox.wait_for_file(file_id)
    assert httpx.put(url, content=png()).status_code == 403


def test_altered_upload_urls_are_rejected_and_no_key_is_needed(sandbox: SandboxServer) -> None:
    _, url = reserve(sandbox)
    other_id, _ = reserve(sandbox)
    address = httpx.URL(url)
    later = address.copy_set_param("expires", str(int(address.params["expires"]) + 1000))
    other_path = address.copy_with(path=f"/incoming/{other_id}")
    for altered in (
        later,
        other_path,
        address.copy_set_param("sig", "0" * 32),
        address.copy_with(query=None),
    ):
        assert httpx.put(altered, content=png()).status_code == 403
    assert "Authorization" not in httpx.put(url, content=png()).request.headers


def test_an_upload_url_expires(sandbox: SandboxServer) -> None:
    sandbox.set_faults(uploadLifetimeSeconds=0.2)
    file_id, url = reserve(sandbox)
    expires = int(httpx.URL(url).params["expires"])
    eventually(time.time, lambda now: now > expires)
    status, message = error(httpx.put(url, content=png()))
    assert (status, message) == (403, "This upload URL has expired or is invalid.")
    assert hydrate(sandbox, file_id)["downloadSource"]["status"] == "pending"


@pytest.mark.parametrize(
    ("declared", "kind", "status"),
    [
        (None, "multipart/form-data; boundary=x", 415),
        (None, "application/x-www-form-urlencoded", 415),
        ("IMAGE", "video/mp4", 415),
        ("IMAGE", "application/octet-stream", 200),
        ("IMAGE", "image/png", 200),
    ],
)
def test_contradicting_content_types_are_rejected(
    sandbox: SandboxServer, declared: str | None, kind: str, status: int
) -> None:
    _, url = reserve(sandbox, type=declared)
    assert httpx.put(url, content=png(), headers={"Content-Type": kind}).status_code == status


def test_too_large_or_empty_body_is_rejected_and_the_url_stays_valid(
    launch: Callable[..., SandboxServer],
) -> None:
    sandbox = launch("--speed", "20", "--largest-upload", "5000")
    file_id, url = reserve(sandbox)

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    assert error(httpx.put(url, content=b"x" * 5001)) == (413, "The upload is larger than 5000 bytes.")
    assert httpx.put(url, content=endless()).status_code == 413
    assert error(httpx.put(url, content=b"")) == (400, "The upload is empty.")
    assert httpx.put(url, content=png(64, 64)).status_code == 200
    assert sandbox.wait_for_file(file_id)["type"] == "IMAGE"


def test_large_upload_does_not_fill_the_memory(launch: Callable[..., SandboxServer]) -> None:
    sandbox = launch("--speed", "20")
    megabyte, count = bytes(range(256)) * 4096, 200
    peak = peak_memory(sandbox.process.pid)
    file_id, url = reserve(sandbox, "large.bin")
    response = httpx.put(url, content=(megabyte for _ in range(count)), timeout=60)
    assert response.status_code == 200
    assert peak_memory(sandbox.process.pid) - peak < 40
    assert sandbox.wait_for_file(file_id)["downloadSource"]["status"] == "failed"


def test_interrupted_upload_can_be_sent_again(sandbox: SandboxServer) -> None:
    file_id, url = reserve(sandbox)
    content = png(1200, 1200) + b"\0" * 400_000
    sandbox.set_faults({"kind": "cut", "match": "PUT /incoming/*", "bytes": 100_000, "count": 1})
    with pytest.raises(httpx.TransportError):
        httpx.put(url, content=content)
    assert hydrate(sandbox, file_id)["downloadSource"]["status"] == "pending"
    assert httpx.put(url, content=content).status_code == 200
    assert sandbox.wait_for_file(file_id)["type"] == "IMAGE"


def test_interrupted_upload_leaves_nothing_on_disk(
    launch: Callable[..., SandboxServer], tmp_path: Path
) -> None:
    sandbox = launch("--data-dir", str(tmp_path), "--speed", "20")
    file_id, url = reserve(sandbox)
    sandbox.set_faults({"kind": "cut", "match": "PUT /incoming/*", "bytes": 100_000})
    with pytest.raises(httpx.TransportError):
        httpx.put(url, content=b"x" * 3_000_000)
    folder = tmp_path / "media" / file_id
    eventually(folder.exists, lambda exists: not exists)


def test_concurrent_uploads_do_not_mix_their_bytes(sandbox: SandboxServer) -> None:
    file_id, url = reserve(sandbox)
    content, started, resume = png(), threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield content[:50]
        started.set()
        assert resume.wait(DEADLINE)
        yield content[50:]

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(httpx.put, url, content=slowly(), timeout=30)
        assert started.wait(DEADLINE)
        second = eventually(lambda: httpx.put(url, content=b""), lambda response: response.status_code == 403)
        assert second.json()["message"] == "This upload URL has already been used."
        resume.set()
        assert first.result().status_code == 200
    assert sandbox.wait_for_file(file_id)["type"] == "IMAGE"


def test_upload_aborted_by_the_client_leaves_nothing(sandbox: SandboxServer) -> None:
    file_id, url = reserve(sandbox)

    def aborted() -> Iterator[bytes]:
        yield b"x" * 200_000
        raise RuntimeError("the client gives up")

    with contextlib.suppress(RuntimeError):
        httpx.put(url, content=aborted(), headers={"Content-Length": "400000"})
    response = eventually(lambda: httpx.put(url, content=png()), lambda response: response.status_code == 200)
    assert response.headers["etag"]
    assert sandbox.wait_for_file(file_id)["type"] == "IMAGE"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "displayName"),
        ({"displayName": ""}, "displayName"),
        ({"displayName": 5}, "displayName"),
        ({"displayName": "x", "type": "HOLOGRAM"}, "type"),
        ({"displayName": "x", "isTemporary": "no"}, "isTemporary"),
        ({"displayName": "x", "transcript": {"words": []}}, "transcript"),
        (
            {
                "displayName": "x",
                "transcript": {"words": [{"word": "a", "startSeconds": 1, "endSeconds": 1}]},
            },
            "transcript",
        ),
    ],
)
def test_invalid_upload_request_is_rejected_with_the_field_name(
    sandbox: SandboxServer, body: dict[str, Any], field: str
) -> None:
    response = sandbox.client.post(UPLOAD, json=body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")
    assert response.json()["message"].startswith(field)


def test_pages_of_other_origins_may_upload(sandbox: SandboxServer) -> None:
    _, url = reserve(sandbox)
    allowed = httpx.options(
        url, headers={"Origin": "http://other-origin", "Access-Control-Request-Method": "PUT"}
    )
    assert allowed.headers["access-control-allow-methods"] == "PUT"
    assert httpx.put(url, content=png()).headers["access-control-allow-origin"] == "*"
