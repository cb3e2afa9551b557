"""Hands every change to the pages that are connected to this process: one listener for all of their sockets.

A socket that listens for itself costs a queue, a copy of every message and a way through a thread for each:
with 1,000 of them the last page had a changed card after seconds (docs/benchmarks.md).
"""

from __future__ import annotations

import asyncio
import logging
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Protocol

from channels.layers import get_channel_layer

from dashboard.config import channel_layer as redis_layer
from dashboard.http.metrics import SOCKETS
from dashboard.live import publisher, renderer
from dashboard.live.changes import Change, join

logger = logging.getLogger(__name__)

BREATH = 50  # pages that are served before others in the loop get their turn
# After telling the pages, what comes next is collected for as long as the telling took, at most so many seconds: others
# get their turn, and whoever ends just then does not wait for long.
LONGEST_PAUSE = 0.05
COME_BACK = 1011  # pages reconnect by themselves after this code, and refetch what they show
HERE = "live.here"  # what the listener says to itself, to know that it hears
PROOF = 3.0  # seconds that it gets to hear that


class Page(Protocol):
    """An open socket."""

    topic: str
    scope: dict[str, Any]

    async def send(self, *, text_data: str) -> None: ...

    async def close(self, code: int) -> None: ...


class Fanout:
    """The pages of one event loop. It listens from the first one that joins until the last one leaves."""

    def __init__(self) -> None:
        self._pages: set[Page] = set()
        self._listening: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._heard = asyncio.Event()
        self._is_doubtful = False
        self._parting: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, Change] = {}
        self._arrived = asyncio.Event()

    async def join(self, page: Page) -> None:
        """From the return on the page receives every change. Raises what the channel layer raises."""
        async with self._changing:
            if self._listening is None or self._listening.done():
                layer = get_channel_layer()
                channel = await layer.new_channel()
                await layer.group_add(publisher.GROUP, channel)
                self._listening = asyncio.create_task(self._listen(layer, channel))
                self._channel = channel
            if self._is_doubtful:
                await self._prove()
            self._pages.add(page)
            SOCKETS.set(len(self._pages))

    async def _prove(self) -> None:
        """Raises what the layer raises, or TimeoutError, when what is said does not come back."""
        self._heard.clear()
        async with asyncio.timeout(PROOF):
            await get_channel_layer().send(self._channel, {"type": HERE})
            await self._heard.wait()
        self._is_doubtful = False

    def doubt(self) -> None:
        """The layer lost its connection, and with it perhaps a message: pages come back, and ask for what they show."""
        self._is_doubtful = True
        if not self._pages:
            return
        parting = asyncio.get_running_loop().create_task(self._send_away())
        self._parting.add(parting)
        parting.add_done_callback(self._parting.discard)

    async def _send_away(self) -> None:
        for page in [*self._pages]:
            with suppress(Exception):  # it has left by itself
                await page.close(COME_BACK)

    async def leave(self, page: Page) -> None:
        """Safe for a page that never joined."""
        async with self._changing:
            self._pages.discard(page)
            SOCKETS.set(len(self._pages))
            if self._listening is not None and not self._pages:
                self._listening.cancel()
                await asyncio.wait([self._listening])
                self._listening = None

    async def _listen(self, layer: Any, channel: str) -> None:
        self._waiting.clear()
        self._arrived.clear()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hand_on())
                while True:
                    message = await layer.receive(channel)
                    if message["type"] == HERE:
                        self._heard.set()
                        continue
                    for change in message["changes"]:
                        join(self._waiting, Change(**change))
                    self._arrived.set()
        except* Exception:
            logger.exception("A change could not be handed to the pages; they come back and ask")
            await self._send_away()
        finally:
            with suppress(Exception):  # a layer that is away has forgotten it
                await layer.group_discard(publisher.GROUP, channel)

    async def _hand_on(self) -> None:
        """Whatever has come since the last time, together."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            changes, self._waiting = list(self._waiting.values()), {}
            began = time.monotonic()
            await self._hand_out(changes)
            await asyncio.sleep(min(time.monotonic() - began, LONGEST_PAUSE))

    async def _hand_out(self, changes: list[Change]) -> None:
        rendering = renderer.Rendering(changes)
        waiting = [(page, rendering.keys(page.topic, page.scope["user"])) for page in self._pages]
        # In the order of the first page that waits for each.
        left: Sequence[renderer.Key] = list(dict.fromkeys(key for _, keys in waiting for key in keys))
        while left:
            left = await rendering.make(left)
            ready = [(page, rendering.frames(keys)) for page, keys in waiting if rendering.has(keys)]
            waiting = [(page, keys) for page, keys in waiting if not rendering.has(keys)]
            await self._tell(ready)
        # A table's rows are parsed apart from everything else, so the count has a frame of its own; it goes last.
        count = await rendering.count()
        if count:
            await self._tell([(page, [count]) for page in self._pages])

    async def _tell(self, told: Sequence[tuple[Page, Sequence[str]]]) -> None:
        # Everybody's first frame goes before anybody's second: it holds what people wait for.
        for turn in range(max((len(frames) for _, frames in told), default=0)):
            for number, (page, frames) in enumerate(told, start=1):
                if turn < len(frames):
                    await page.send(text_data=frames[turn])
                if number % BREATH == 0 or number == len(told):
                    await asyncio.sleep(0)


_fanouts: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Fanout] = weakref.WeakKeyDictionary()


def fanout() -> Fanout:
    """That of the running loop."""
    return _fanouts.setdefault(asyncio.get_running_loop(), Fanout())


def _doubt() -> None:
    found = _fanouts.get(asyncio.get_running_loop())
    if found is not None:
        found.doubt()


redis_layer.on_break(_doubt)
