"""A minimal HTTP client. The server shares the machine, so the load generator must use little CPU."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    seconds: float


def post(path: str, host: tuple[str, int], headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST request as bytes."""
    lines = [f"POST {path} HTTP/1.1", f"host: {host[0]}:{host[1]}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """A keep-alive connection for one request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, host: tuple[str, int]) -> Self:
        return cls(*await asyncio.open_connection(*host))

    async def send(self, request: bytes) -> Answer:
        began = time.perf_counter()
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        status = int(head.split(b" ", 2)[1])
        headers = dict(
            line.lower().split(b": ", 1) for line in head.rstrip().split(b"\r\n")[1:] if b": " in line
        )
        if headers.get(b"transfer-encoding") == b"chunked":
            body = await self._chunks()
        else:
            body = await self.reader.readexactly(int(headers[b"content-length"]))
        return Answer(status, body, time.perf_counter() - began)

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readline()
        return body

    def close(self) -> None:
        self.writer.close()
