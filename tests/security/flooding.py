"""A program for a test: the dashboard's server with an application that sends much to its sockets.

It floods the socket at /flood, and sends 1 MiB for each message at /asked. Prints the port that it listens on.
"""

from __future__ import annotations

import daphne.server  # noqa: F401 - isort: skip - installs the event loop, before anything else

import asyncio
from typing import Any

import django

django.setup()

from dashboard.server.daphne_server import Server  # noqa: E402 - needs Django's applications

FRAMES, FRAME = 1500, "x" * 32 * 1024
FRAMES_PER_MESSAGE = 32  # 1 MiB, a quarter of the backlog that is allowed


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    assert scope["type"] == "websocket"
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/flood":
        for _ in range(FRAMES):
            await send({"type": "websocket.send", "text": FRAME})
            await asyncio.sleep(0)  # let the other sockets run
    elif scope["path"] == "/asked":
        while (await receive())["type"] == "websocket.receive":
            for _ in range(FRAMES_PER_MESSAGE):
                await send({"type": "websocket.send", "text": FRAME})
    else:
        while (await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": "here"})


def ready() -> None:
    asyncio.get_event_loop().call_soon(lambda: print(server.ports[0].getHost().port, flush=True))


server = Server(application, endpoints=["tcp:0:interface=127.0.0.1"], ready_callable=ready)
server.run()
