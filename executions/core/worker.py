"""The loop of a background worker: do what is due, sleep until woken, continue after errors, and report liveness.

A subclass defines one step. Its queue is a table (core/leasing.py), so a worker that dies loses nothing.
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

MIN_SLEEP = 0.01  # seconds, so that other tasks of the loop get their turn
FIRST_RETRY_DELAY = 1.0  # seconds after an error; doubled for each consecutive error
CANCEL_TIMEOUT = 1.0  # seconds for a cancelled task to clean up

_running: set[Worker] = set()


class Worker:
    """Create one per process and kind. Any number of processes may each have their own."""

    name = ""
    """The subject in one word, as in "file" worker."""
    max_sleep = 5.0
    """Seconds until the next step if the worker is not woken. Other processes cannot wake it."""
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
        """Do what is due now. Returns the seconds to sleep, or None for `max_sleep`."""
        raise NotImplementedError

    def wake(self) -> None:
        """Run the next step now. Callable from any thread; no effect while the worker is not running."""
        if self._loop is not None:
            sync_bridge.post(self._woken.set, loop=self._loop)

    async def run(self) -> None:
        """Run steps until cancelled. Tasks still running then are left to `drain`."""
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        self.beat(self.max_step)
        _running.add(self)
        failures = 0
        try:
            while True:
                self._woken.clear()
                self.beat(self.max_step)
                seconds = await self._guarded_step()
                failures = 0 if seconds is not None else failures + 1
                if seconds is None:
                    await self._back_off(failures)
                else:
                    await self._sleep(seconds)
        finally:
            _running.discard(self)
            self._loop = None

    def start_task(
        self, work: Coroutine[Any, Any, None], name: str, *, wakes: bool = True
    ) -> asyncio.Task[None]:
        """Run `work` concurrently with the loop. When it ends, the next step runs, unless `wakes` is false."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._on_task_done)
        if wakes:
            # The task may have changed what is due next, possibly to a time before the sleep ends.
            task.add_done_callback(lambda _: self.wake())
        return task

    async def drain(self, seconds: float) -> None:
        """Wait at most this long for tasks, then cancel them. Rows held by a cancelled task are freed by lease expiry."""
        if self.tasks:
            _, late = await asyncio.wait([*self.tasks], timeout=seconds)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CANCEL_TIMEOUT)

    def beat(self, seconds: float) -> None:
        """Report liveness. The worker is late if it does not do so again within this time."""
        self.last_beat = time.time()
        self._late_from = time.monotonic() + seconds

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self._late_from

    async def _guarded_step(self) -> float | None:
        """The seconds to sleep, or None after an error."""
        try:
            seconds = await self.step()
        except Error as error:
            logger.warning("%s: database unavailable, retrying: %s", self, error)
        except Exception:
            logger.exception("%s: unexpected error, continuing", self)
        else:
            return self.max_sleep if seconds is None else min(seconds, self.max_sleep)
        return None

    async def _sleep(self, seconds: float) -> None:
        self.beat(seconds + self.max_step)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, MIN_SLEEP)):
                await self._woken.wait()

    async def _back_off(self, failures: int) -> None:
        """Sleep after an error. A wake does not end it, so a step that always fails is not retried on every change."""
        seconds = min(FIRST_RETRY_DELAY * 2 ** min(failures - 1, 20), self.max_sleep)
        self.beat(seconds + self.max_step)
        await asyncio.sleep(seconds)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error(
                "%s: unexpected error in %s, continuing", self, task.get_name(), exc_info=task.exception()
            )


def running() -> list[Worker]:
    """The running workers of this process, sorted by name."""
    return sorted(_running, key=lambda worker: worker.name)


async def run_all(workers: Iterable[Worker]) -> None:
    """Run all workers until cancelled."""
    await asyncio.gather(*(worker.run() for worker in workers))


async def drain_all(workers: Iterable[Worker], seconds: float) -> None:
    await asyncio.gather(*(worker.drain(seconds) for worker in workers))
