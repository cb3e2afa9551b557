"""Dropping connections without a response, for faults. HTTP servers do not offer this."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

_open: dict[tuple[str, int], asyncio.Transport] = {}


class DroppableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 protocol that also registers its transport by the client address."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrower, like the base class
        super().connection_made(transport)
        if self.client is not None:
            _open[self.client] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client is not None:
            _open.pop(self.client, None)
        super().connection_lost(exc)


async def drop(scope: Scope, receive: Receive) -> None:
    """Drop the client's connection. Returns once the server has noticed, so that no response is sent."""
    transport = _open.get(tuple(scope["client"]))
    if transport is None:
        raise RuntimeError("this server cannot drop connections: it does not use DroppableProtocol")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


def drop_after(scope: Scope, receive: Receive, send: Send, allowed: int) -> tuple[Receive, Send]:
    """Wrap ``receive`` and ``send``: drop the connection after ``allowed`` body bytes, in either direction."""
    transport = _open[tuple(scope["client"])]
    transferred = 0

    def is_over_limit(message: Message) -> bool:
        nonlocal transferred
        if not message["type"].endswith((".request", ".body")):
            return False
        transferred += len(message.get("body", b""))
        return transferred > allowed

    async def limited_receive() -> Message:
        message = await receive()
        if is_over_limit(message):
            transport.abort()
            return {"type": "http.disconnect"}
        return message

    async def limited_send(message: Message) -> None:
        if not is_over_limit(message):
            await send(message)
            return
        body = message.get("body", b"")
        rest = body[: max(0, allowed - transferred + len(body))]
        await send({**message, "body": rest, "more_body": True})
        transport.close()

    return limited_receive, limited_send
