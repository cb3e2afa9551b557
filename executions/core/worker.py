"""One loop of background work: it does what is due, rests until it is woken, survives its errors, and tells that it lives.

A subclass says what one step is. Its queue is a table (core/leasing.py), so a worker that dies loses nothing.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from typing import Any

from django.db import Error

from executions.core import sync_bridge

logger = logging.getLogger(__name__)

SHORTEST_REST = 0.01  # seconds; others in the loop get their turn
FIRST_RETRY = 1.0  # seconds after an error; doubled with each one in a row
CANCEL_TIMEOUT = 1.0  # seconds that a cancelled task gets to clean up

_running: set[Worker] = set()


class Worker:
    """Create one per process and kind; of any number of processes each may have its own."""

    name = ""
    """What it works on, in one word: the "file" worker."""
    max_rest = 5.0
    """Seconds until the next step where nothing wakes it; other processes cannot."""
    max_step = 300.0
    """Seconds that a step may take before the worker counts as late."""

    def __init__(self) -> None:
        self.tasks: set[asyncio.Task[None]] = set()
        self.last_beat = 0.0  # Unix time
        self._late_from = 0.0  # monotonic
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()

    def __str__(self) -> str:
        return f"{self.name.capitalize()} worker"

    async def step(self) -> float | None:
        """Do what is due now. Returns the seconds to rest, None for `max_rest`."""
        raise NotImplementedError

    def wake(self) -> None:
        """Step again now. From any thread; nothing happens while the worker does not run."""
        if self._loop is not None:
            sync_bridge.post(self._woken.set, loop=self._loop)

    async def run(self) -> None:
        """Step until cancelled. Tasks that are under way then are left to `drain`."""
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self.beat(self.max_step)
        _running.add(self)
        failures = 0
        try:
            while True:
                self._woken.clear()
                self.beat(self.max_step)
                rest = await self._guarded_step()
                failures = 0 if rest is not None else failures + 1
                if rest is None:
                    await self._back_off(failures)
                else:
                    await self._rest(rest)
        finally:
            _running.discard(self)
            self._loop = None

    def begin(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Do this beside the loop, which steps again when it has ended."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    async def drain(self, seconds: float) -> None:
        """Let tasks finish, for at most this long. What a cancelled one held is free when its lease expires."""
        if self.tasks:
            _, late = await asyncio.wait([*self.tasks], timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CANCEL_TIMEOUT)

    def beat(self, seconds: float) -> None:
        """The worker lives; it says so again within this time, or it is late."""
        self.last_beat = time.time()
        self._late_from = time.monotonic() + seconds

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self._late_from

    async def _guarded_step(self) -> float | None:
        """The seconds to rest; None after an error."""
        try:
            rest = await self.step()
        except Error as error:
            logger.warning("%s: the database did not answer, trying again: %s", self, error)
        except Exception:
            logger.exception("%s: unexpected error, continuing", self)
        else:
            return self.max_rest if rest is None else min(rest, self.max_rest)
        return None

    async def _rest(self, seconds: float) -> None:
        self.beat(seconds + self.max_step)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, SHORTEST_REST)):
                await self._woken.wait()

    async def _back_off(self, failures: int) -> None:
        """A wake does not end it: a step that always fails is not tried with each of a thousand changes."""
        seconds = min(FIRST_RETRY * 2 ** min(failures - 1, 20), self.max_rest)
        self.beat(seconds + self.max_step)
        await asyncio.sleep(seconds)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Only now is it known what is due next; that may be before the rest is over.
        self.tasks.discard(task)
        self.wake()
        if not task.cancelled() and task.exception() is not None:
            logger.error(
                "%s: unexpected error in %s, continuing", self, task.get_name(), exc_info=task.exception()
            )


def running() -> list[Worker]:
    """The workers of this process, by name."""
    return sorted(_running, key=lambda worker: worker.name)


async def run_all(workers: Iterable[Worker]) -> None:
    """Run these until cancelled."""
    await asyncio.gather(*(worker.run() for worker in workers))


async def drain_all(workers: Iterable[Worker], seconds: float) -> None:
    await asyncio.gather(*(worker.drain(seconds) for worker in workers))
