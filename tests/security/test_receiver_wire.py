"""The receiver over TCP: oversized bodies, slow senders, floods, and malformed requests."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress

import httpx
import pytest

from tests.dashboard.serving import Serving
from tests.factories.deliveries import OTHER_SECRET, URL, event, signed
from tests.waiting import DEADLINE

MIB = 1024 * 1024


def raw(serving: Serving, *parts: bytes, seconds: float = 10) -> bytes:
    """Send the parts; the start of the response, up to the end of its headers or a time-out."""
    with closing(socket.create_connection((serving.host, serving.port), seconds)) as wire:
        with suppress(ConnectionError):
            for part in parts:
                wire.sendall(part)
        answer = b""
        with suppress(TimeoutError, ConnectionError):
            while b"\r\n\r\n" not in answer and (received := wire.recv(65536)):
                answer += received
        return answer


def head(*lines: str, method: str = "POST", path: str = URL) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode("latin-1")


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def stored(serving: Serving) -> int:
    with closing(sqlite3.connect(serving.data_dir / "rushes.sqlite3")) as database:
        return int(database.execute("SELECT count(*) FROM executions_webhookdelivery").fetchone()[0])


def assert_alive(serving: Serving) -> None:
    """A signed delivery is accepted."""
    body = event("vg_exec_unknown")
    answer = httpx.post(
        f"{serving.url}{URL}", content=body, headers=headers(body), timeout=DEADLINE, trust_env=False
    )
    assert answer.status_code == 200, answer.text


def headers(body: bytes, **more: str) -> dict[str, str]:
    return {**signed(body), "content-type": "application/json", **more}


# --- bodies -----------------------------------------------------------------------------------------------


def test_the_largest_body_is_accepted_and_one_byte_more_is_refused(serving: Serving) -> None:
    before = stored(serving)
    for surplus, expected in ((1, 413), (0, 200)):
        body = event("vg_exec_unknown", padding="")
        body = body.replace(b'"padding": ""', b'"padding": "' + b"x" * (MIB + surplus - len(body)) + b'"')
        assert len(body) == MIB + surplus
        answer = httpx.post(
            f"{serving.url}{URL}", content=body, headers=headers(body), timeout=DEADLINE, trust_env=False
        )
        assert answer.status_code == expected
    assert stored(serving) == before + 1


def test_an_announced_gigabyte_is_refused_before_it_is_received(serving: Serving) -> None:
    before = serving.memory
    answer = raw(serving, head("Content-Type: application/json", f"Content-Length: {1024 * MIB}"), b"x" * MIB)
    assert status(answer) == 413
    assert serving.memory - before < 20
    assert_alive(serving)


def test_an_endless_chunked_body_is_cut_off(serving: Serving) -> None:
    before, sent = serving.memory, 0
    chunk = b"%x\r\n" % (64 * 1024) + b"x" * 64 * 1024 + b"\r\n"
    with closing(socket.create_connection((serving.host, serving.port), 10)) as wire:
        wire.sendall(head("Content-Type: application/json", "Transfer-Encoding: chunked"))
        with pytest.raises(ConnectionError):
            while sent < 512 * MIB:
                wire.sendall(chunk)
                sent += len(chunk)
    assert sent < 64 * MIB, "no more than the kernel's buffers hold"
    assert serving.memory - before < 30
    assert_alive(serving)


def test_slow_senders_do_not_delay_others(serving: Serving) -> None:
    before = serving.memory
    body = event("vg_exec_unknown")
    slow = []
    for _ in range(60):
        wire = socket.create_connection((serving.host, serving.port), 10)
        wire.sendall(head("Content-Type: application/json", f"Content-Length: {len(body)}") + body[:1])
        slow.append(wire)
    for number in range(1, 4):
        for wire in slow:
            wire.sendall(body[number : number + 1])
        assert_alive(serving)  # while none of the slow bodies is complete
    assert serving.memory - before < 30
    for wire in slow:
        wire.close()
    assert_alive(serving)


# --- malformed requests -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "request_bytes",
    [
        head("Content-Length: -5"),
        head("Content-Length: five"),
        head("Content-Length: 5", "Content-Length: 6") + b"hello",
        head("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        head("Transfer-Encoding: gzip") + b"hello",
        head("Transfer-Encoding: chunked") + b"zz\r\n",
        head("Content-Type: application/json", "Content-Length: 2", "webhook-id: \x00") + b"{}",
        head("Content-Type: application/json", "Content-Length: 2", "webhook-signature: " + "v1,x " * 3000) + b"{}",
        head("X-Long: " + "x" * 200_000),
        head(*(f"X-{number}: x" for number in range(3000))),
        head("Content-Length: 0", path=URL + "%00"),
        head("Content-Length: 0", path=URL + "?" + "q" * 30_000),
        head("Content-Length: 0", path="/webhooks/../webhooks/videogen/"),
        head("Content-Length: 0", path="http://evil.example/webhooks/videogen/"),
        head("Content-Length: 0", method="\x00"),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100,
        b"GET\r\n\r\n",
        b"\r\n" * 2000,
    ],
    ids=range(18),
)  # fmt: skip
def test_malformed_requests_are_refused_or_dropped(request_bytes: bytes, serving: Serving) -> None:
    answer = raw(serving, request_bytes, seconds=2)
    assert status(answer) < 500, answer[:200]
    assert status(answer) != 200
    assert b"Traceback" not in answer
    with serving.client() as client:
        assert client.get("/healthz").status_code == 200


# --- floods -----------------------------------------------------------------------------------------------


def test_a_flood_of_unsigned_requests_stores_nothing_and_signed_ones_are_served(serving: Serving) -> None:
    rows, memory = stored(serving), serving.memory
    body = event("vg_exec_unknown", padding="x" * 100_000)
    forged = headers(body) | signed(body, secret=OTHER_SECRET)
    codes: Counter[int] = Counter()
    flooding = threading.Event()
    lock = threading.Lock()

    def flood(_: int) -> None:
        with httpx.Client(trust_env=False, timeout=DEADLINE) as client:
            for _ in range(60):
                answer = client.post(f"{serving.url}{URL}", content=body, headers=forged)
                with lock:
                    codes[answer.status_code] += 1
                flooding.set()

    with ThreadPoolExecutor(6) as pool:
        attack = pool.map(flood, range(5))
        assert flooding.wait(DEADLINE)
        for _ in range(5):
            assert_alive(serving)
        list(attack)
    assert codes == {401: 300}
    assert stored(serving) == rows + 5
    assert serving.memory - memory < 60


def test_many_simultaneous_signed_deliveries_are_all_stored(serving: Serving) -> None:
    rows = stored(serving)

    def deliver(number: int) -> tuple[int, object]:
        body = event(f"vg_exec_flood_{number}")
        answer = httpx.post(
            f"{serving.url}{URL}", content=body, headers=headers(body), timeout=DEADLINE, trust_env=False
        )
        return answer.status_code, answer.json()

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(deliver, range(60)))
    assert answers == [(200, {"outcome": "unknown job"})] * 60
    assert stored(serving) == rows + 60


def test_the_log_contains_no_bodies_secrets_or_tracebacks(serving: Serving) -> None:
    """The log lines of all tests above."""
    from tests.factories.deliveries import SECRET

    assert "Traceback" not in serving.errors
    assert SECRET not in serving.errors
    assert "vg_exec_flood" not in serving.errors
