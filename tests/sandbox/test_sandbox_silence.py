"""The sandbox ends without a word, whatever is connected to it at that moment."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest

from tests.sandbox.running import READY, ROOT
from tests.waiting import PROCESS_DEADLINE

pytestmark = pytest.mark.processes


@pytest.mark.parametrize("before", ["nothing", "idle", "half a request", "just connecting"])
def test_it_says_nothing_when_it_is_stopped(before: str) -> None:
    command = [sys.executable, "-m", "sandbox", "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    )
    assert process.stdout is not None
    address = process.stdout.readline().removeprefix(READY).strip()
    host, port = address.removeprefix("http://").split(":")
    callers: list[socket.socket] = []
    if before in ("idle", "half a request"):
        callers = [socket.create_connection((host, int(port))) for _ in range(5)]
        for caller in callers:
            caller.sendall(b"GET /v1/me HTTP/1.1\r\nHost: x\r\n\r\n")
            assert caller.recv(1000).startswith(b"HTTP/1.1 401")
    if before == "half a request":
        for caller in callers:
            caller.sendall(b"PUT /incoming/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc")
    if before == "just connecting":
        callers = [socket.create_connection((host, int(port))) for _ in range(60)]
    process.terminate()
    said = process.communicate(timeout=PROCESS_DEADLINE)
    for caller in callers:
        caller.close()
    assert (process.returncode, said) == (0, ("", ""))
