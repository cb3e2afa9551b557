"""The one worker: it is woken, rests, survives its errors, is drained at a stop, and tells that it lives."""

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
    """Does in its steps what it is given, then nothing. The last rest is for ever."""

    name = "test"
    max_rest = 3600.0

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
    """The pauses after errors; none is waited for."""
    pauses: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)  # a turn of the loop for the others, as a pause would give

    monkeypatch.setattr(workers.asyncio, "sleep", noted)
    return pauses


async def settled() -> None:
    """Whatever could happen in the loop without time passing has happened."""
    for _ in range(50):
        await asyncio.sleep(0)  # a turn of the loop


async def test_it_steps_at_once_and_then_rests() -> None:
    async with at_work(worker := Stepping()):
        await worker.until(1)
        await settled()
        assert worker.steps == 1


async def test_it_steps_again_when_the_rest_is_over() -> None:
    async with at_work(worker := Stepping(lambda: 0.02, lambda: 0.0)):
        await worker.until(3)


async def test_no_rest_is_longer_than_the_longest() -> None:
    worker = Stepping(lambda: 3600.0)
    worker.max_rest = 0.02
    async with at_work(worker):
        await worker.until(2)


async def test_it_is_woken_from_its_loop_and_from_a_thread() -> None:
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


async def test_to_wake_one_that_does_not_run_does_nothing() -> None:
    worker = Stepping()
    worker.wake()
    async with at_work(worker):
        await worker.until(1)
    worker.wake()
    await settled()
    assert worker.steps == 1


@pytest.mark.parametrize("error", [OperationalError("it is away"), InterfaceError("it is closed")], ids=repr)
async def test_a_database_that_is_away_is_one_line_and_survived(
    error: Exception, slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(worker := Stepping(fails(error))):
        await worker.until(2)
    [said] = caplog.records
    assert said.getMessage() == f"Test worker: the database did not answer, trying again: {error}"
    assert said.exc_info is None
    assert slept == [1.0]


async def test_any_other_error_is_logged_with_its_cause_and_survived(
    slept: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    async with at_work(worker := Stepping(fails(ZeroDivisionError("by zero")))):
        await worker.until(2)
    [said] = caplog.records
    assert (said.levelname, said.getMessage()) == ("ERROR", "Test worker: unexpected error, continuing")
    assert "ZeroDivisionError: by zero" in caplog.text


async def test_errors_in_a_row_are_tried_again_later_and_later(slept: list[float]) -> None:
    worker = Stepping(*[fails(ValueError("broken"))] * 4, lambda: 0.0, fails(ValueError("broken")))
    worker.max_rest = 5.0
    async with at_work(worker):
        await worker.until(7)
    assert slept == [1.0, 2.0, 4.0, 5.0, 1.0], (
        "doubled, at most the longest rest, from the start after a success"
    )


async def test_a_wake_does_not_try_a_broken_step_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async with at_work(worker := Stepping(fails(ValueError("broken")))):
        await worker.until(1)
        worker.wake()
        await settled()
        assert worker.steps == 1


async def test_it_steps_again_when_a_task_ends() -> None:
    over = asyncio.Event()

    async def task() -> None:
        await over.wait()

    async with at_work(worker := Stepping()):
        await worker.until(1)
        worker.begin(task(), "a task")
        assert len(worker.tasks) == 1
        over.set()
        await worker.until(2)
        assert not worker.tasks


async def test_a_task_that_fails_is_logged_by_its_name(caplog: pytest.LogCaptureFixture) -> None:
    async def task() -> None:
        raise ZeroDivisionError

    async with at_work(worker := Stepping()):
        await worker.until(1)
        worker.begin(task(), "the copy of file 7")
        await worker.until(2)
    assert "Test worker: unexpected error in the copy of file 7, continuing" in caplog.text


async def test_a_stop_lets_tasks_finish_and_starts_nothing_new() -> None:
    begun, over, finished = asyncio.Event(), asyncio.Event(), []

    async def task() -> None:
        begun.set()
        await over.wait()
        finished.append(True)

    async with at_work(worker := Stepping()):
        await worker.until(1)
        worker.begin(task(), "a start")
        await begun.wait()
    draining = asyncio.create_task(worker.drain(DEADLINE))
    await settled()
    assert not draining.done()
    over.set()
    await draining
    assert finished == [True]
    assert worker.steps == 1


async def test_a_stop_cuts_what_takes_too_long(caplog: pytest.LogCaptureFixture) -> None:
    cut = []

    async def task() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cut.append(True)
            raise

    async with at_work(worker := Stepping()):
        worker.begin(task(), "a long call")
        await settled()
    await worker.drain(0)
    assert cut == [True]
    assert not caplog.records, "that is no error"


async def test_it_is_known_while_it_runs_and_not_late_while_it_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(workers.time, "monotonic", lambda: now[0])
    worker = Stepping()
    worker.max_rest, worker.max_step = 5.0, 60.0
    assert worker not in workers.running()
    async with at_work(worker):
        await worker.until(1)
        await settled()
        assert worker in workers.running()
        assert worker.last_beat > 0
        now[0] += 64
        assert not worker.is_late, "it may rest, and then step"
        now[0] += 2
        assert worker.is_late
        worker.wake()
        await worker.until(2)
        assert not worker.is_late
    assert worker not in workers.running()


async def test_one_that_hangs_in_a_step_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
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


async def test_several_are_run_and_drained_together() -> None:
    one, other = Stepping(), Stepping()
    running = asyncio.create_task(workers.run_all([one, other]))
    await one.until(1)
    await other.until(1)
    running.cancel()
    await asyncio.wait([running])
    cut: list[int] = []
    for number, each in enumerate((one, other)):
        each.begin(_cut(cut, number), "a task")
    await settled()
    await workers.drain_all([one, other], 0)
    assert sorted(cut) == [0, 1]


async def _cut(cut: list[int], number: int) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        cut.append(number)


def test_it_may_run_again_in_another_loop() -> None:
    """One of a module lives longer than a test's loop."""
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
