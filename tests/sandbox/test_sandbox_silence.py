"""The sandbox prints nothing when it is stopped, regardless of open connections."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.sandbox.process import READY, ROOT
from tests.waiting import PROCESS_DEADLINE

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("connections", ["none", "idle", "partial request", "connecting"])
def test_prints_nothing_when_stopped(connections: str) -> None:
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix(READY).strip()
    host, port = address.removeprefix("http://").split(":")
    clients: list[socket.socket] = []
    if connections in ("idle", "partial request"):
        clients = [socket.create_connection((host, int(port))) for _ in range(5)]
        for client in clients:
            client.sendall(b"GET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(1000).startswith(b"HTTP/1.1 401")
    if connections == "partial request":
        for client in clients:
            client.sendall(b"PUT /incoming/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
    if connections == "connecting":
        clients = [socket.create_connection((host, int(port))) for _ in range(60)]
    process.terminate()
    output = process.communicate(timeout=PROCESS_DEADLINE)
    for client in clients:
        client.close()
    assert (process.returncode, output) == (0, ("", ""))
