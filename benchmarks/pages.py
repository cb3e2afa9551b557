"""Open pages: real websockets with a session, which receive the HTML that a browser would insert."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect

from benchmarks.product import Rushes
from benchmarks.seed import PEOPLE

TOPICS = ("studio", "history")
MAX_HANDSHAKES = 50  # at the same time


class Awaited:
    """When each page received that a job has succeeded."""

    def __init__(self, job_id: str) -> None:
        # A card or row that shows success; cards of earlier states may arrive first.
        self.shown = re.compile(rf'-{job_id}"\s[^>]*data-status="succeeded"')
        self.times: list[float] = []
        self.everywhere = asyncio.Event()


class Pages:
    """Open pages of all three people, on the studio and the history."""

    def __init__(self, sockets: list[ClientConnection], clock: Callable[[], float]) -> None:
        self.sockets = sockets
        self.clock = clock
        self._awaited: dict[str, Awaited] = {}
        self._readers = [asyncio.create_task(self._read(socket)) for socket in sockets]

    async def _read(self, socket: ClientConnection) -> None:
        async for frame in socket:
            now = self.clock()
            for awaited in self._awaited.values():
                if awaited.shown.search(str(frame)):
                    awaited.times.append(now)
                    if len(awaited.times) == len(self.sockets):
                        awaited.everywhere.set()

    def look_for(self, job_id: str) -> None:
        """Start to note when each page receives the job's success."""
        self._awaited[job_id] = Awaited(job_id)

    async def seen(self, job_id: str, patience: float = 10.0) -> list[float]:
        """When each page received it. Raises TimeoutError if a page did not within `patience` seconds."""
        awaited = self._awaited[job_id]
        try:
            async with asyncio.timeout(patience):
                await awaited.everywhere.wait()
        except TimeoutError:
            missing = len(self.sockets) - len(awaited.times)
            raise TimeoutError(f"{missing} pages did not receive the success of job {job_id}") from None
        finally:
            del self._awaited[job_id]
        return awaited.times

    async def close(self) -> None:
        for reader in self._readers:
            reader.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)


@asynccontextmanager
async def pages(
    rushes: Rushes, count: int, clock: Callable[[], float] = time.perf_counter
) -> AsyncIterator[Pages]:
    gate = asyncio.Semaphore(MAX_HANDSHAKES)
    places = itertools.islice(itertools.cycle(itertools.product(TOPICS, PEOPLE)), count)

    async def opened(topic: str, person: str) -> ClientConnection:
        address = f"{rushes.url.replace('http', 'ws', 1)}/ws/live/?topic={topic}"
        async with gate:
            return await connect(
                address,
                origin=rushes.url,
                additional_headers={"Cookie": rushes.cookie(person)},
                compression=None,
                ping_interval=None,
                proxy=None,
                close_timeout=1,
            )

    async with AsyncExitStack() as stack:
        sockets = await asyncio.gather(*(opened(*place) for place in places))
        for socket in sockets:
            stack.callback(socket.transport.abort)
        open_pages = Pages(sockets, clock)
        stack.push_async_callback(open_pages.close)
        yield open_pages
