"""A proxy between the browser and the server that can refuse and cut websockets, as company proxies do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Proxy:
    """Forwards everything to `port` of this machine, from its own thread."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._allows_sockets = True
        self._sockets: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")
        self._thread.start()
        self._server = self._do(self._listen())
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def block_sockets(self) -> None:
        """Abort every websocket, and refuse new ones from now on. Plain requests pass."""
        self._do(self._refuse())

    def allow_sockets(self) -> None:
        self._allows_sockets = True

    def close(self) -> None:
        self._do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do[T](self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def _refuse(self) -> None:
        self._allows_sockets = False
        for writer in self._sockets:
            writer.transport.abort()

    async def _close(self) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            # A browser opens a new connection for each websocket, so the first request identifies it.
            head = await reader.readuntil(b"\r\n\r\n")
            is_socket = b"\r\nupgrade: websocket\r\n" in head.lower()
            if is_socket and not self._allows_sockets:
                writer.write(REFUSAL)
                await writer.drain()
            else:
                await self._forward(reader, writer, head, is_socket)
        self._tasks.discard(task)
        writer.close()

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, is_socket: bool
    ) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self._upstream)
        back.write(head)
        if is_socket:
            self._sockets.add(writer)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, back))
                both.create_task(_pump(there, writer))
        except* ConnectionError:
            pass
        finally:
            self._sockets.discard(writer)
            back.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Copy one direction of a connection; the end of one direction ends both."""
    while chunk := await source.read(65536):
        sink.write(chunk)
        await sink.drain()
    sink.close()
