"""A relay between the domain and the sandbox, which can hold back responses until a test releases them."""

from __future__ import annotations

import asyncio
import fnmatch
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.waiting import DEADLINE


@dataclass
class HeldResponse:
    """A response that the sandbox has sent and that the domain has not received yet."""

    request: str
    release: asyncio.Event = field(default_factory=asyncio.Event)


class Relay:
    """Forwards requests to `upstream`, one connection each. Holds back responses to "METHOD /path" of `hold_pattern`."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname, parts.port
        self.hold_pattern = ""
        self.held_responses: asyncio.Queue[HeldResponse] = asyncio.Queue()
        self.requests: list[str] = []
        """Each request as "METHOD /path", in the order of arrival."""
        self.finished: list[str] = []
        """The held requests whose response was released."""
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def next_held(self) -> HeldResponse:
        async with asyncio.timeout(DEADLINE):
            return await self.held_responses.get()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.decode("latin-1").split("\r\n")
            method, target, _ = lines[0].split(" ")
            lengths = [line.split(":")[1] for line in lines if line.lower().startswith("content-length:")]
            body = await reader.readexactly(int(lengths[0]) if lengths else 0)
            request = f"{method} {target}"
            self.requests.append(request)
            answer = await self._forward(lines, body)
            if self.hold_pattern and fnmatch.fnmatchcase(request, self.hold_pattern):
                held = HeldResponse(request)
                await self.held_responses.put(held)
                await held.release.wait()
                writer.write(answer)
                await writer.drain()
                self.finished.append(request)
                return
            writer.write(answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.transport.abort() if task.cancelled() else writer.close()

    async def _forward(self, lines: list[str], body: bytes) -> bytes:
        """The sandbox's whole response; it closes the connection afterwards."""
        headers = [line for line in lines if line and not line.lower().startswith("connection:")]
        reader, writer = await asyncio.open_connection(self._host, self._port)
        writer.write("\r\n".join([*headers, "Connection: close", "", ""]).encode("latin-1") + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer
