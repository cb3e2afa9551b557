"""Cutting connections without an answer, which HTTP servers do not offer by themselves."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_open: dict[tuple[str, int], asyncio.Transport] = {}


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol, which also remembers its transport by the caller's address."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrower, as its base has it
        super().connection_made(transport)
        if self.client is not None:
            _open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            _open.pop(self.client, None)
        super().connection_lost(exc)


async def cut(scope: Scope, receive: Receive) -> None:
    """Drop the caller's connection; returns when the server has noticed, so that no answer is sent."""
    transport = _open.get(tuple(scope["client"]))
    if transport is None:
        raise RuntimeError("this server cannot cut connections: CuttableProtocol is not in use")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def cut_short(scope: Scope, receive: Receive, send: Send, allowed: int) -> tuple[Receive, Send]:
    """``receive`` and ``send`` of a connection that breaks once so many bytes of a body have passed either way."""
    transport = _open[tuple(scope["client"])]
    passed = 0

    def breaks(message: Message) -> bool:
        nonlocal passed
        if not message["type"].endswith((".request", ".body")):
            return False
        passed += len(message.get("body", b""))
        return passed > allowed

    async def receive_some() -> Message:
        message = await receive()
        if breaks(message):
            transport.abort()
            return {"type": "http.disconnect"}
        return message

    async def send_some(message: Message) -> None:
        if not breaks(message):
            await send(message)
            return
        body = message.get("body", b"")
        kept = body[: max(0, allowed - passed + len(body))]
        await send({**message, "body": kept, "more_body": True})
        transport.close()

    return receive_some, send_some
