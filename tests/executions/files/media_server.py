"""A server of one file on a real socket, with range requests and configurable faults."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

from django.utils import timezone

from tests.factories.files import file


class MediaServer:
    """Collects request heads in `heads`. Sends no Content-Disposition."""

    def __init__(self, content: bytes, mime: str) -> None:
        self.content = content
        self.mime = mime
        self.etag = '"first"'
        # Number of bytes after which each of the next responses is cut off.
        self.breaks: list[int] = []
        # Error statuses for the next requests.
        self.statuses: list[int] = []
        # Responses wait for this before their last byte.
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.heads: list[str] = []
        self.closed = asyncio.Event()
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            self.heads.append(head)
            await self._answer(head, writer)
        writer.close()
        self.closed.set()

    async def _answer(self, head: str, writer: asyncio.StreamWriter) -> None:
        if self.statuses:
            writer.write(f"HTTP/1.1 {self.statuses.pop(0)} No\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            return
        size, begin, end, status = len(self.content), 0, len(self.content) - 1, "200 OK"
        extra = ""
        requested = re.search(r"^range: bytes=(\d+)-(\d*)", head, re.MULTILINE)
        condition = re.search(r"^if-range: (.*)\r", head, re.MULTILINE)
        if requested and (condition is None or condition[1] == self.etag):
            begin, end = int(requested[1]), int(requested[2] or end)
            status, extra = "206 Partial Content", f"Content-Range: bytes {begin}-{end}/{size}\r\n"
        body = self.content[begin : end + 1]
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: {self.mime}\r\nContent-Length: {len(body)}\r\n"
            f"ETag: {self.etag}\r\n{extra}Connection: close\r\n\r\n".encode()
        )
        if self.breaks:
            writer.write(body[: self.breaks.pop(0)])
            await writer.drain()
            return
        writer.write(body[:-1])
        await writer.drain()
        await self.may_end.wait()
        writer.write(body[-1:])
        await writer.drain()

    def report(self) -> dict[str, Any]:
        """VideoGen's report of the file, with URLs of this server."""
        expires = (timezone.now() + timedelta(hours=1)).isoformat()
        source = {"status": "ready", "url": f"{self.url}/media/pier?signature=1", "expiresAt": expires}
        return {"downloadSource": source, "previewSource": source}

    def file(self, remote_id: str = "vg_file_1", **columns: Any) -> Any:
        snapshot = {"fileId": remote_id, **self.report()}
        defaults = {"type": "IMAGE", "display_name": "The pier", "origin": "result", "snapshot": snapshot}
        return file(remote_id, **{**defaults, **columns})


@asynccontextmanager
async def serving(content: bytes, mime: str = "application/octet-stream") -> AsyncIterator[MediaServer]:
    media = MediaServer(content, mime)
    listening = await asyncio.start_server(media.serve, "127.0.0.1", 0)
    async with listening:
        media.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        yield media
        media.may_end.set()
