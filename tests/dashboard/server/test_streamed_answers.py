"""The real server and a slow client: a streamed response waits for it, and ends when it disconnects."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard.serving import ROOT, environment
from tests.waiting import PROCESS_DEADLINE, eventually

# An application that streams 200 MB and prints the number of megabytes sent.
STREAMING = """
import daphne.server
import sys
import django
django.setup()
from dashboard.server.daphne_server import Server

async def application(scope, receive, send):
    if scope["path"] == "/small":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"small"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    if scope["path"] == "/after":
        await send({"type": "http.response.body", "body": b"whole"})
        raise RuntimeError("cleaning up failed")
    if scope["path"] == "/broken":
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("the other half is lost")
    try:
        for number in range(200):
            await send({"type": "http.response.body", "body": bytes(1_000_000), "more_body": True})
            print(number + 1, file=sys.stderr, flush=True)
        await send({"type": "http.response.body", "body": b"end"})
    finally:
        print("over", file=sys.stderr, flush=True)

class PortReportingServer(Server):
    def listen_success(self, port):
        super().listen_success(port)
        print(port.getHost().port, flush=True)

server = PortReportingServer(application, endpoints=["tcp:0:interface=127.0.0.1"])
server.run()
"""


class Streaming:
    def __init__(self, folder: Path) -> None:
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", STREAMING],
                cwd=ROOT,
                env=environment(folder, DJANGO_SETTINGS_MODULE="dashboard.settings"),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.strip(), self.log.read_text()
        self.port = int(line)

    def ask(self, path: str = "/", version: str = "1.1") -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.sendall(f"GET {path} HTTP/{version}\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return client

    @property
    def megabytes(self) -> int:
        return max((int(line) for line in self.log.read_text().split() if line.isdecimal()), default=0)


@pytest.fixture
def streaming(tmp_path: Path) -> Iterator[Streaming]:
    server = Streaming(tmp_path)
    yield server
    server.process.kill()
    server.process.wait(PROCESS_DEADLINE)
    assert server.process.stdout is not None
    server.process.stdout.close()


def read(client: socket.socket, count: int) -> int:
    received = 0
    while received < count and (piece := client.recv(65536)):
        received += len(piece)
    return received


def test_a_slow_client_slows_the_stream_down_and_gets_all_of_it(streaming: Streaming) -> None:
    with streaming.ask() as client:
        received = read(client, 5_000_000)
        # Other requests are served meanwhile, so the server had time to run ahead.
        for _ in range(20):
            with streaming.ask("/small") as other:
                assert read(other, 1) > 0
        assert 5 <= streaming.megabytes <= 25, "unread data is not produced"
        tail = b""
        while not tail.endswith(b"end\r\n0\r\n\r\n"):
            piece = client.recv(65536)
            assert piece, "it ended too early"
            tail = (tail + piece)[-20:]
            received += len(piece)
        assert received > 200_000_000


def test_an_interrupted_response_is_aborted(streaming: Streaming) -> None:
    """A client with half of a response must not take it for complete, or wait for ever."""
    for _ in range(2):
        with streaming.ask("/broken") as client:
            received = b""
            while piece := client.recv(65536):
                received += piece
        assert b"half" in received
        assert not received.endswith(b"0\r\n\r\n"), "it does not look complete"
    eventually(lambda: streaming.log.read_text().count("RuntimeError: the other half is lost") == 2)


def test_a_complete_response_is_not_aborted_by_a_later_error(streaming: Streaming) -> None:
    with streaming.ask("/after") as client:
        received = b""
        while not received.endswith(b"0\r\n\r\n"):
            received += client.recv(65536)
        assert b"whole" in received
        client.sendall(b"GET /small HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert b"small" in client.recv(65536), "the connection stays open"
    eventually(lambda: "RuntimeError: cleaning up failed" in streaming.log.read_text())
    assert "was interrupted" not in streaming.log.read_text()
    assert "AttributeError" not in streaming.log.read_text()


def test_an_interrupted_http_1_0_response_is_reset(streaming: Streaming) -> None:
    with streaming.ask("/broken", "1.0") as client, pytest.raises(ConnectionResetError):
        while client.recv(65536):
            pass


def test_a_stream_ends_when_the_client_disconnects(streaming: Streaming) -> None:
    client = streaming.ask()
    read(client, 2_000_000)
    assert streaming.megabytes < 200
    client.close()

    eventually(lambda: "over" in streaming.log.read_text())
