"""Batches the writes of deliveries on SQLite: those that arrive during a write are written together in the next one.

SQLite has one writer, a commit is a good part of a delivery's cost, and so is every hand-over between the loop and the
writer's thread. On PostgreSQL writers work in parallel, so each delivery is written on its own.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping

from django.db import connection

from executions.core import runtime
from executions.videogen import WebhookEvent
from executions.webhooks import ingest

MAX_BATCH_SIZE = 16  # deliveries per transaction; other writers wait for it

type Delivery = tuple[str, WebhookEvent, Mapping[str, str], bytes]


class WriteBatcher:
    """The batcher of one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Delivery, asyncio.Future[str]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def receive(self, *delivery: *Delivery) -> str:
        """Like ingest.receive: returns the outcome after the commit, and raises the same errors."""
        if connection.vendor != "sqlite":
            return await runtime.in_db(ingest.receive, *delivery)
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, future))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await future

    async def _write(self) -> None:
        while self._waiting:
            # Skip callers that have gone: they were not acknowledged, so VideoGen sends their deliveries again.
            waiting = [(delivery, future) for delivery, future in self._waiting if not future.done()]
            batch, self._waiting = waiting[:MAX_BATCH_SIZE], waiting[MAX_BATCH_SIZE:]
            outcomes: list[str | Exception]
            try:
                outcomes = await runtime.in_db(ingest.receive_many, [delivery for delivery, _ in batch])
            except Exception as error:
                outcomes = [error] * len(batch)
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if future.done():
                    continue  # the caller has gone
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)


_batchers: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, WriteBatcher] = weakref.WeakKeyDictionary()


def write_batcher() -> WriteBatcher:
    """The batcher of the running loop."""
    return _batchers.setdefault(asyncio.get_running_loop(), WriteBatcher())
