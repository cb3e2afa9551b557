"""The way into the inbox: on SQLite, deliveries that arrive while one is written are written together, next.

SQLite has one writer, a commit is a good part of a delivery's cost, and every hand-over between the loop and the
writer's thread is another. On PostgreSQL writers work side by side, so each delivery goes by itself.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Mapping

from django.db import connection

from executions.core import runtime
from executions.videogen import Event
from executions.webhooks import ingest

MOST = 16  # deliveries in one transaction; other writers wait that long

type Delivery = tuple[str, Event, Mapping[str, str], bytes]


class Intake:
    """Of one event loop."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Delivery, asyncio.Future[str]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def take(self, *delivery: *Delivery) -> str:
        """As inbox.receive: returns once it is committed, and raises what it raises."""
        if connection.vendor != "sqlite":
            return await runtime.in_db(ingest.receive, *delivery)
        taken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivery, taken))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await taken

    async def _write(self) -> None:
        while self._waiting:
            # Who has gone meanwhile was told nothing, and sends it again.
            here = [(delivery, taken) for delivery, taken in self._waiting if not taken.done()]
            together, self._waiting = here[:MOST], here[MOST:]
            outcomes: list[str | Exception]
            try:
                outcomes = await runtime.in_db(ingest.receive_all, [delivery for delivery, _ in together])
            except Exception as error:
                outcomes = [error] * len(together)
            for (_, taken), outcome in zip(together, outcomes, strict=True):
                if taken.done():
                    continue  # who waited for it has gone
                if isinstance(outcome, Exception):
                    taken.set_exception(outcome)
                else:
                    taken.set_result(outcome)


_intakes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Intake] = weakref.WeakKeyDictionary()


def intake() -> Intake:
    """That of the running loop."""
    return _intakes.setdefault(asyncio.get_running_loop(), Intake())
