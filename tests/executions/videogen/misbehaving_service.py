"""A real HTTP server on 127.0.0.1 that responds as scripted, properly or not, and records the requests."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Behavior = Callable[[asyncio.StreamWriter], Awaitable[bool]]
"""Responds to one request. Returns whether the connection stays open for another."""


@dataclass
class RecordedRequest:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Service:
    """Follows `script`, one behavior per request; the last one is repeated."""

    script: deque[Behavior] = field(default_factory=deque)
    requests: list[RecordedRequest] = field(default_factory=list)
    request_received: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    port: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def respond_with(self, *behaviors: Behavior) -> None:
        self.script = deque(behaviors)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._answer(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        pairs = (line.split(": ", 1) for line in head[1:] if line)
        headers = {name.lower(): value for name, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        self.requests.append(RecordedRequest(method, target, headers, body))
        self.request_received.set()
        behavior = self.script.popleft() if len(self.script) > 1 else self.script[0]
        return await behavior(writer)


def bytes_of(
    status: int, body: bytes, headers: dict[str, str] | None = None, *, claimed: int | None = None
) -> bytes:
    """An HTTP response. `claimed`: a Content-Length that differs from the body's."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body) if claimed is None else claimed}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def responds(status: int, body: Any = b"", **headers: str) -> Behavior:
    """Respond properly. Header names are given with underscores."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def behave(writer: asyncio.StreamWriter) -> bool:
        writer.write(bytes_of(status, content, named))
        await writer.drain()
        return True

    return behave


def responds_gzip(status: int, content: bytes, **headers: str) -> Behavior:
    return responds(status, gzip.compress(content), Content_Encoding="gzip", **headers)


def responds_gzip_bomb(status: int, mebibytes: int) -> Behavior:
    """A small response that becomes large when it is decompressed."""
    compressor = zlib.compressobj(wbits=31)
    blank = b" " * 2**20
    parts = [compressor.compress(blank) for _ in range(mebibytes)]
    return responds(status, b"".join([*parts, compressor.flush()]), Content_Encoding="gzip")


def sends(data: bytes) -> Behavior:
    """Send these bytes, then close the connection."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        return False

    return behave


def hangs_up() -> Behavior:
    return sends(b"")


def cut_after_headers(status: int = 202) -> Behavior:
    return sends(bytes_of(status, b"", claimed=58))


def cut_in_body(status: int = 202) -> Behavior:
    return sends(bytes_of(status, b'{"toolExecutionId": "vg', claimed=58))


def never_responds() -> Behavior:
    async def behave(writer: asyncio.StreamWriter) -> bool:
        await asyncio.Event().wait()
        return False

    return behave


def drips(status: int = 202) -> Behavior:
    """Send one space at a time, forever, each within the read timeout."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        writer.write(bytes_of(status, b"", claimed=1_000_000))
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)  # slow on purpose

    return behave


def floods(size: int, status: int = 202, *, declared: bool = False) -> Behavior:
    """Send `size` bytes, either with a Content-Length (`declared`) or chunked."""

    async def behave(writer: asyncio.StreamWriter) -> bool:
        piece = b"x" * 65536
        if declared:
            writer.write(bytes_of(status, b"", claimed=size))
        else:
            writer.write(f"HTTP/1.1 {status} Whatever\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(size // len(piece)):
            writer.write(piece if declared else b"10000\r\n" + piece + b"\r\n")
            await writer.drain()
        writer.write(b"" if declared else b"0\r\n\r\n")
        await writer.drain()
        return True

    return behave
