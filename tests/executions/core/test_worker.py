"""The worker loop: waking, sleeping, errors, draining at a stop, and liveness."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError

from executions.core import worker as workers
from executions.core.worker import Worker
from tests.waiting import DEADLINE


class Stepping(Worker):
    """Runs the given functions, one per step, then nothing. Its last sleep never ends."""

    name = "test"
    max_sleep = 3600.0

    def __init__(self, *acts: Callable[[], float | None]) -> None:
        super().__init__()
        self.acts = list(acts)
        self.steps = 0
        self._stepped = asyncio.Condition()

    async def step(self) -> float | None:
        self.steps += 1
        try:
            return self.acts.pop(0)() if self.acts else None
        finally:
            async with self._stepped:
                self._stepped.notify_all()

    async def until(self, steps: int) -> None:
        async with asyncio.timeout(DEADLINE), self._stepped:
            await self._stepped.wait_for(lambda: self.steps >= steps)


@asynccontextmanager
async def at_work(worker: Worker) -> Any:
    running = asyncio.create_task(worker.run())
    try:
        yield running
    finally:
        running.cancel()
        await asyncio.wait([running])


def fails(error: Exception) -> Callable[[], float | None]:
    def act() -> float | None:
        raise error

    return act


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Records the pauses after errors without waiting for them."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def record(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)  # a turn of the loop for the others, as a pause would give

    monkeypatch.setattr(workers.asyncio, "sleep", record)
    return pauses


async def settled() -> None:
    """Let everything in the loop run that can run without time passing."""
    for _ in range(50):
        await asyncio.sleep(0)  # a turn of the loop


async def test_it_steps_at_once_and_then_sleeps() -> None:
    async with at_work(worker := Stepping()):
        await worker.until(1)
        await settled()
        assert worker.steps == 1


async def test_it_steps_again_after_the_sleep() -> None:
    async with at_work(worker := Stepping(lambda: 0.02, lambda: 0.0)):
        await worker.until(3)


async def test_no_sleep_exceeds_the_maximum() -> None:
    worker = Stepping(lambda: 3600.0)
    worker.max_sleep = 0.02
    async with at_work(worker):
        await worker.until(2)


async def test_it_can_be_woken_from_its_loop_and_from_a_thread() -> None:
    async with at_work(worker := Stepping()):
        await worker.until(1)
        worker.wake()
        await worker.until(2)
        await asyncio.to_thread(worker.wake)
        await worker.until(3)


async def test_a_wake_during_a_step_is_not_lost() -> None:
    worker = Stepping()
    worker.acts.append(lambda: worker.wake())  # type: ignore[arg-type, func-returns-value]
    async with at_work(worker):
        await worker.until(2)


async def test_waking_a_stopped_worker_has_no_effect() -> None:
    worker = Stepping()
    worker.wake()
    async with at_work(worker):
        await worker.until(1)
    worker.wake()
    await settled()
    assert worker.steps == 1


@pytest.mark.parametrize("error", [OperationalError("unreachable"), InterfaceError("closed")], ids=repr)
async def test_a_database_outage_is_logged_in_one_line_and_survived(
    error: Exception, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(worker := Stepping(fails(error))):
        await worker.until(2)
    [logged] = caplog.records
    assert logged.getMessage() == f"Test worker: database unavailable, retrying: {error}"
    assert logged.exc_info is None
    assert slept == [1.0]


async def test_any_other_error_is_logged_with_its_cause_and_survived(
    slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(worker := Stepping(fails(ZeroDivisionError("by zero")))):
        await worker.until(2)
    [logged] = caplog.records
    assert (logged.levelname, logged.getMessage()) == ("ERROR", "Test worker: unexpected error, continuing")
    assert "ZeroDivisionError: by zero" in caplog.text


async def test_consecutive_errors_are_retried_with_backoff(slept: list[float]) -> None:
    worker = Stepping(*[fails(ValueError("broken"))] * 4, lambda: 0.0, fails(ValueError("broken")))
    worker.max_sleep = 5.0
    async with at_work(worker):
        await worker.until(7)
    assert slept == [1.0, 2.0, 4.0, 5.0, 1.0], "doubled up to max_sleep, reset by a success"


async def test_a_wake_does_not_retry_a_failed_step_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_work(worker := Stepping(fails(ValueError("broken")))):
        await worker.until(1)
        worker.wake()
        await settled()
        assert worker.steps == 1


async def test_it_steps_again_when_a_task_ends() -> None:
    done = asyncio.Event()

    async def task() -> None:
        await done.wait()

    async with at_work(worker := Stepping()):
        await worker.until(1)
        worker.start_task(task(), "a task")
        assert len(worker.tasks) == 1
        done.set()
        await worker.until(2)
        assert not worker.tasks


async def test_it_sleeps_on_when_a_task_ends_that_need_not_wake_it() -> None:
    async def task() -> None:
        pass

    async with at_work(worker := Stepping()):
        await worker.until(1)
        worker.start_task(task(), "a task", wakes=False)
        await settled()
        assert not worker.tasks
        assert worker.steps == 1


async def test_a_failed_task_is_logged_with_its_name(caplog: pytest.LogCaptureFixture) -> None:
    async def task() -> None:
        raise ZeroDivisionError

    async with at_work(worker := Stepping()):
        await worker.until(1)
        worker.start_task(task(), "the copy of file 7")
        await worker.until(2)
    assert "Test worker: unexpected error in the copy of file 7, continuing" in caplog.text


async def test_a_stop_lets_tasks_finish_and_starts_nothing_new() -> None:
    started, done, finished = asyncio.Event(), asyncio.Event(), []

    async def task() -> None:
        started.set()
        await done.wait()
        finished.append(True)

    async with at_work(worker := Stepping()):
        await worker.until(1)
        worker.start_task(task(), "a start")
        await started.wait()
    draining = asyncio.create_task(worker.drain(DEADLINE))
    await settled()
    assert not draining.done()
    done.set()
    await draining
    assert finished == [True]
    assert worker.steps == 1


async def test_a_stop_cancels_tasks_that_take_too_long(caplog: pytest.LogCaptureFixture) -> None:
    cancelled = []

    async def task() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async with at_work(worker := Stepping()):
        worker.start_task(task(), "a long call")
        await settled()
    await worker.drain(0)
    assert cancelled == [True]
    assert not caplog.records, "a cancelled task is not an error"


async def test_it_is_listed_while_running_and_not_late_while_sleeping(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    worker = Stepping()
    worker.max_sleep, worker.max_step = 5.0, 60.0
    assert worker not in workers.running()
    async with at_work(worker):
        await worker.until(1)
        await settled()
        assert worker in workers.running()
        assert worker.last_beat > 0
        now[0] += 64
        assert not worker.is_late, "it may sleep for max_sleep, then step for max_step"
        now[0] += 2
        assert worker.is_late
        worker.wake()
        await worker.until(2)
        assert not worker.is_late
    assert worker not in workers.running()


async def test_a_worker_that_hangs_in_a_step_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])

    class Hanging(Worker):
        name = "hanging"
        max_step = 60.0

        async def step(self) -> None:
            await asyncio.Event().wait()

    async with at_work(worker := Hanging()):
        await settled()
        now[0] += 59
        assert not worker.is_late
        now[0] += 2
        assert worker.is_late
        worker.beat(60)
        assert not worker.is_late


async def test_several_workers_run_and_drain_together() -> None:
    one, other = Stepping(), Stepping()
    running = asyncio.create_task(workers.run_all([one, other]))
    await one.until(1)
    await other.until(1)
    running.cancel()
    await asyncio.wait([running])
    cancelled: list[int] = []
    for number, each in enumerate((one, other)):
        each.start_task(_record_cancel(cancelled, number), "a task")
    await settled()
    await workers.drain_all([one, other], 0)
    assert sorted(cancelled) == [0, 1]


async def _record_cancel(cancelled: list[int], number: int) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        cancelled.append(number)


def test_it_can_run_again_in_another_loop() -> None:
    """A worker at module level outlives the loop of a test."""
    worker = Stepping()

    async def twice() -> None:
        async with at_work(worker):
            before = worker.steps
            await worker.until(before + 1)
            await settled()
            worker.wake()
            await worker.until(before + 2)

    for _ in range(2):
        worker._stepped = asyncio.Condition()
        asyncio.run(_bounded(twice()))


async def _bounded(work: Coroutine[Any, Any, None]) -> None:
    await asyncio.wait_for(work, DEADLINE)
