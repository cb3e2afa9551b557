"""Sending uploads: the address, the sizes, and everything that may go wrong on the way."""

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

from tests.sandbox.media import UPLOAD, hydrate, png, reserve
from tests.sandbox.running import Running
from tests.waiting import DEADLINE, eventually


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


def test_an_address_works_once(sandbox: Running) -> None:
    file_id, url = reserve(sandbox)
    assert httpx.put(url, content=png()).status_code == 200
    assert refusal(httpx.put(url, content=png())) == (403, "This upload address has been used already.")
    sandbox.wait_for_file(file_id)
    assert httpx.put(url, content=png()).status_code == 403


def test_an_address_cannot_be_altered_and_needs_no_key(sandbox: Running) -> None:
    _, url = reserve(sandbox)
    other_id, _ = reserve(sandbox)
    address = httpx.URL(url)
    later = address.copy_set_param("expires", str(int(address.params["expires"]) + 1000))
    elsewhere = address.copy_with(path=f"/incoming/{other_id}")
    for wrong in (later, elsewhere, address.copy_set_param("sig", "0" * 32), address.copy_with(query=None)):
        assert httpx.put(wrong, content=png()).status_code == 403
    assert "Authorization" not in httpx.put(url, content=png()).request.headers


def test_an_address_expires(sandbox: Running) -> None:
    sandbox.order(uploadLifetimeSeconds=0.2)
    file_id, url = reserve(sandbox)
    expires = int(httpx.URL(url).params["expires"])
    eventually(time.time, lambda now: now > expires)
    status, message = refusal(httpx.put(url, content=png()))
    assert (status, message) == (403, "This upload address has expired or was not made here.")
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
def test_content_types_that_cannot_be_true_are_refused(
    sandbox: Running, declared: str | None, kind: str, status: int
) -> None:
    _, url = reserve(sandbox, type=declared)
    assert httpx.put(url, content=png(), headers={"Content-Type": kind}).status_code == status


def test_too_much_or_nothing_is_refused_and_the_address_stays_good(launch: Callable[..., Running]) -> None:
    sandbox = launch("--speed", "20", "--largest-upload", "5000")
    file_id, url = reserve(sandbox)

    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1000

    assert refusal(httpx.put(url, content=b"x" * 5001)) == (413, "An upload has at most 5000 bytes.")
    assert httpx.put(url, content=endless()).status_code == 413
    assert refusal(httpx.put(url, content=b"")) == (400, "The upload has no bytes.")
    assert httpx.put(url, content=png(64, 64)).status_code == 200
    assert sandbox.wait_for_file(file_id)["type"] == "IMAGE"


def test_a_large_upload_does_not_fill_the_memory(launch: Callable[..., Running]) -> None:
    sandbox = launch("--speed", "20")
    megabyte, count = bytes(range(256)) * 4096, 200
    peak = memory_peak(sandbox.process.pid)
    file_id, url = reserve(sandbox, "large.bin")
    answer = httpx.put(url, content=(megabyte for _ in range(count)), timeout=60)
    assert answer.status_code == 200
    assert memory_peak(sandbox.process.pid) - peak < 40
    assert sandbox.wait_for_file(file_id)["downloadSource"]["status"] == "failed"


def memory_peak(pid: int) -> int:
    """The most memory that a process has held, in megabytes."""
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM:"))


def test_an_upload_cut_in_the_middle_can_be_sent_again(sandbox: Running) -> None:
    file_id, url = reserve(sandbox)
    content = png(1200, 1200) + b"\0" * 400_000
    sandbox.order({"kind": "cut", "match": "PUT /incoming/*", "bytes": 100_000, "count": 1})
    with pytest.raises(httpx.TransportError):
        httpx.put(url, content=content)
    assert hydrate(sandbox, file_id)["downloadSource"]["status"] == "pending"
    assert httpx.put(url, content=content).status_code == 200
    assert sandbox.wait_for_file(file_id)["type"] == "IMAGE"


def test_a_cut_upload_leaves_nothing_on_the_disk(launch: Callable[..., Running], tmp_path: Path) -> None:
    sandbox = launch("--data-dir", str(tmp_path), "--speed", "20")
    file_id, url = reserve(sandbox)
    sandbox.order({"kind": "cut", "match": "PUT /incoming/*", "bytes": 100_000})
    with pytest.raises(httpx.TransportError):
        httpx.put(url, content=b"x" * 3_000_000)
    folder = tmp_path / "media" / file_id
    eventually(folder.exists, lambda exists: not exists)


def test_two_senders_at_once_cannot_mix_their_bytes(sandbox: Running) -> None:
    file_id, url = reserve(sandbox)
    content, begun, told = png(), threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield content[:50]
        begun.set()
        assert told.wait(DEADLINE)
        yield content[50:]

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(httpx.put, url, content=slowly(), timeout=30)
        assert begun.wait(DEADLINE)
        second = eventually(lambda: httpx.put(url, content=b""), lambda answer: answer.status_code == 403)
        assert second.json()["message"] == "This upload address has been used already."
        told.set()
        assert first.result().status_code == 200
    assert sandbox.wait_for_file(file_id)["type"] == "IMAGE"


def test_an_upload_that_the_sender_breaks_off_leaves_nothing(sandbox: Running) -> None:
    file_id, url = reserve(sandbox)

    def broken() -> Iterator[bytes]:
        yield b"x" * 200_000
        raise RuntimeError("the sender gives up")

    with contextlib.suppress(RuntimeError):
        httpx.put(url, content=broken(), headers={"Content-Length": "400000"})
    answer = eventually(lambda: httpx.put(url, content=png()), lambda answer: answer.status_code == 200)
    assert answer.headers["etag"]
    assert sandbox.wait_for_file(file_id)["type"] == "IMAGE"


@pytest.mark.parametrize(
    ("body", "named"),
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
def test_a_wrong_reservation_is_refused_by_name(sandbox: Running, body: dict[str, Any], named: str) -> None:
    answer = sandbox.client.post(UPLOAD, json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
    assert answer.json()["message"].startswith(named)


def test_pages_of_other_sites_may_upload(sandbox: Running) -> None:
    _, url = reserve(sandbox)
    allowed = httpx.options(
        url, headers={"Origin": "http://elsewhere", "Access-Control-Request-Method": "PUT"}
    )
    assert allowed.headers["access-control-allow-methods"] == "PUT"
    assert httpx.put(url, content=png()).headers["access-control-allow-origin"] == "*"
