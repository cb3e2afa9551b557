"""Delivers changes to the pages connected to this process, with one channel-layer listener for all sockets.

If each socket listened itself, each would need a queue, a copy of every message and a thread hop: with 1,000 sockets
the last page was updated after seconds (docs/benchmarks.md).
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
from dashboard.live.changes import Change, merge

logger = logging.getLogger(__name__)

YIELD_EVERY = 50  # pages that are sent to before the event loop gets a turn
# After sending, further changes are collected for as long as sending took, but at most this many seconds: other work
# gets a turn, and an update that arrives just then is not delayed for long.
MAX_PAUSE = 0.05
RECONNECT = 1011  # close code after which pages reconnect and refetch
PROBE = "live.here"  # the message by which the listener checks that it receives messages
PROBE_TIMEOUT = 3.0  # seconds


class Page(Protocol):
    """An open socket."""

    topic: str
    scope: dict[str, Any]

    async def send(self, *, text_data: str) -> None: ...

    async def close(self, code: int) -> None: ...


class Fanout:
    """The pages of one event loop. Listens from when the first one joins until the last one leaves."""

    def __init__(self) -> None:
        self._pages: set[Page] = set()
        self._listening: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._probe_received = asyncio.Event()
        self._needs_probe = False
        self._disconnecting: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, Change] = {}
        self._arrived = asyncio.Event()

    async def join(self, page: Page) -> None:
        """Register a page, which receives every change from then on. Raises the channel layer's errors."""
        async with self._changing:
            if self._listening is None or self._listening.done():
                layer = get_channel_layer()
                channel = await layer.new_channel()
                await layer.group_add(publisher.GROUP, channel)
                self._listening = asyncio.create_task(self._listen(layer, channel))
                self._channel = channel
            if self._needs_probe:
                await self._probe()
            self._pages.add(page)
            SOCKETS.set(len(self._pages))

    async def _probe(self) -> None:
        """Check that messages arrive. Raises the channel layer's errors, or TimeoutError."""
        self._probe_received.clear()
        async with asyncio.timeout(PROBE_TIMEOUT):
            await get_channel_layer().send(self._channel, {"type": PROBE})
            await self._probe_received.wait()
        self._needs_probe = False

    def on_connection_lost(self) -> None:
        """The layer lost its connection, and perhaps a message: make all pages reconnect and refetch."""
        self._needs_probe = True
        if not self._pages:
            return
        disconnecting = asyncio.get_running_loop().create_task(self._disconnect_all())
        self._disconnecting.add(disconnecting)
        disconnecting.add_done_callback(self._disconnecting.discard)

    async def _disconnect_all(self) -> None:
        for page in [*self._pages]:
            with suppress(Exception):  # the page has already left
                await page.close(RECONNECT)

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
                group.create_task(self._deliver_batches())
                while True:
                    message = await layer.receive(channel)
                    if message["type"] == PROBE:
                        self._probe_received.set()
                        continue
                    for change in message["changes"]:
                        merge(self._waiting, Change(**change))
                    self._arrived.set()
        except* Exception:
            logger.exception("Could not deliver a change; all pages reconnect and refetch")
            await self._disconnect_all()
        finally:
            with suppress(Exception):  # an unavailable layer has dropped it anyway
                await layer.group_discard(publisher.GROUP, channel)

    async def _deliver_batches(self) -> None:
        """Deliver the changes since the last delivery together, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            changes, self._waiting = list(self._waiting.values()), {}
            began = time.monotonic()
            await self._deliver(changes)
            await asyncio.sleep(min(time.monotonic() - began, MAX_PAUSE))

    async def _deliver(self, changes: list[Change]) -> None:
        rendering = renderer.Rendering(changes)
        waiting = [(page, rendering.keys(page.topic, page.scope["user"])) for page in self._pages]
        # In the order of the first page that needs each.
        left: Sequence[renderer.Key] = list(dict.fromkeys(key for _, keys in waiting for key in keys))
        while left:
            left = await rendering.make(left)
            ready = [(page, rendering.frames(keys)) for page, keys in waiting if rendering.has(keys)]
            waiting = [(page, keys) for page, keys in waiting if not rendering.has(keys)]
            await self._send(ready)
        # The count has its own frame, because table rows must be parsed separately. It is sent last.
        count = await rendering.count()
        if count:
            await self._send([(page, [count]) for page in self._pages])

    async def _send(self, pages: Sequence[tuple[Page, Sequence[str]]]) -> None:
        # The first frames of all pages before any second one: these contain what people wait for.
        for turn in range(max((len(frames) for _, frames in pages), default=0)):
            for number, (page, frames) in enumerate(pages, start=1):
                if turn < len(frames):
                    await page.send(text_data=frames[turn])
                if number % YIELD_EVERY == 0 or number == len(pages):
                    await asyncio.sleep(0)


_fanouts: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Fanout] = weakref.WeakKeyDictionary()


def fanout() -> Fanout:
    """The fan-out of the running event loop."""
    return _fanouts.setdefault(asyncio.get_running_loop(), Fanout())


def _on_break() -> None:
    found = _fanouts.get(asyncio.get_running_loop())
    if found is not None:
        found.on_connection_lost()


redis_layer.on_break(_on_break)
