"""The real server stops while sockets are in any state."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.dashboard.serving import ROOT, environment
from tests.waiting import PROCESS_DEADLINE, eventually

pytestmark = pytest.mark.processes

# An application that never accepts a socket, so each stays in the opening state.
HOLDING = """
import daphne.server
import asyncio, signal, sys
import django
django.setup()
from dashboard.server.daphne_server import Server

async def application(scope, receive, send):
    await receive()
    print("opening", file=sys.stderr, flush=True)
    await receive()

async def drained():
    await server.drain(1)
    server.stop()

def ready():
    loop = asyncio.get_event_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: loop.create_task(drained()))
    loop.call_soon(lambda: print(server.ports[0].getHost().port, flush=True))

server = Server(application, endpoints=["tcp:0:interface=127.0.0.1"], ready_callable=ready)
server.run()
"""
HANDSHAKE = (
    b"GET /ws/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


def test_it_stops_while_a_socket_is_being_opened(tmp_path: Path) -> None:
    """Regression: pages reconnect all at once after a restart, and one that was just opening kept the process alive."""
    log = tmp_path / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDING],
            cwd=ROOT,
            env=environment(tmp_path, DJANGO_SETTINGS_MODULE="dashboard.settings"),
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
        )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), timeout=20) as page:
            page.sendall(HANDSHAKE)
            eventually(lambda: "opening" in log.read_text())
            process.send_signal(signal.SIGTERM)
            assert process.wait(PROCESS_DEADLINE) == 0
            assert page.recv(100) == b"", "the connection is closed, so the page reconnects"
    finally:
        process.kill()
        process.wait(PROCESS_DEADLINE)
        if process.stdout is not None:
            process.stdout.close()
