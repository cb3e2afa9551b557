"""The safety net: sends what waits, asks after what runs, and repeats what was not answered.

Webhooks tell the end of a job; progress, and the ends whose webhook never came, are learned by asking.
Every job carries the time of its next look (`next_attempt_at`); a reconciler claims what is due, works on
several at once, and rests until the next is due or something wakes it.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.db import DatabaseError, transaction
from django.utils import timezone

from executions.core import backoff, runtime, sync_bridge
from executions.core.worker import Worker
from executions.lifecycle import cancel, chains, leases, queue_state
from executions.lifecycle import machine as lifecycle
from executions.limits import api_health, poll_budget
from executions.limits.poll_budget import HOURLY_BUDGET
from executions.models import Execution
from executions.signals import execution_changed, queue_changed
from executions.statuses import PENDING, QUEUED, TERMINAL
from executions.sync import external_jobs, submit
from executions.sync.list_poller import UNKNOWN_THERE, Sweeper
from executions.videogen import NotFound, RateLimited, ToolExecution, Unauthorized, VideoGenError

logger = logging.getLogger(__name__)

# How often a job is asked after, by its age since VideoGen took it (both in seconds; docs/api-notes.md#polling).
PACE: tuple[tuple[float, float], ...] = ((10, 1), (30, 2), (300, 5), (3600, 20))
OVERDUE_PACE = 180.0
# Where a person at VideoGen has to do something first, a look each second finds nothing.
APPROVAL_PACE = timedelta(seconds=20)
AT_ONCE = 10
LONGEST_REST = 5.0  # seconds; other processes cannot wake this one
SHORT_REST = 0.1  # seconds, while nothing of what is due may be done
YOUNG = timedelta(minutes=2)  # a 404 for a job this young is not believed


def pace(age: float, in_flight: int) -> timedelta:
    """How long until a job of this age (seconds) is asked after again, with so many others in flight."""
    by_age = next((interval for limit, interval in PACE if age < limit), OVERDUE_PACE)
    by_budget = in_flight * 3600 / HOURLY_BUDGET
    return timedelta(seconds=max(by_age, by_budget))


class Reconciler(Worker):
    """Several may share a PostgreSQL database; on SQLite there is one, inside `serve`."""

    name = "job"
    max_rest = LONGEST_REST

    def __init__(self) -> None:
        super().__init__()
        self._ended_jobs: set[uuid.UUID] = set()
        self._hastening: asyncio.Task[None] | None = None
        self._budget = poll_budget.shared
        self._quiet_until = 0.0  # monotonic: no GETs before, since VideoGen said so
        self._sweeper = Sweeper(self._take, pace)
        self._sweeping: asyncio.Task[None] | None = None
        self._has_swept = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Hear of this process's own changes while this lasts, rather than find them at the next look."""
        hasten = partial(sync_bridge.post, self._hasten_followers, loop=asyncio.get_running_loop())

        def on_change(*, execution_id: uuid.UUID, created: bool, to_status: str, **_: Any) -> None:
            if to_status in TERMINAL:
                hasten(execution_id)
            elif created or to_status == PENDING:
                self.wake()

        def on_queue(**_: Any) -> None:
            self.wake()

        execution_changed.connect(on_change, dispatch_uid=id(self))
        queue_changed.connect(on_queue, dispatch_uid=id(self))
        try:
            yield
        finally:
            execution_changed.disconnect(dispatch_uid=id(self))
            queue_changed.disconnect(dispatch_uid=id(self))

    def _hasten_followers(self, execution_id: uuid.UUID) -> None:
        self._ended_jobs.add(execution_id)
        if self._hastening is None or self._hastening.done():
            self._hastening = self.begin(self._hasten(), "hasten")

    async def _hasten(self) -> None:
        """What ends while the database is asked is asked about together, not each by itself."""
        while self._ended_jobs:
            ended, self._ended_jobs = self._ended_jobs, set()
            try:
                if await runtime.in_db(chains.hasten, *ended):
                    self.wake()
            except DatabaseError as error:
                logger.warning(
                    "Jobs that wait for others were not hastened, and come in their time: %s", error
                )

    async def step(self) -> float:
        claimed = await self._claim_and_work()
        if self._free() <= 0:
            return LONGEST_REST  # the first task that ends wakes us
        rest = await runtime.in_db(seconds_until_due)
        if not claimed and not rest:
            # What is due all the same is a batch's, and waits for a place or a start: whoever frees one wakes us.
            rest = SHORT_REST
        if self._asks() < 1:
            # What is due now may not be asked after: to look at it again and again would be all that we did.
            rest = max(rest, 1.0)
        return rest

    def _free(self) -> int:
        """How many more jobs may be worked on at the same time. A sweep takes no place."""
        return AT_ONCE - sum(task is not self._sweeping for task in self.tasks)

    async def _take(self) -> bool:
        """One call out of the budget of all processes together."""
        return await self._budget.spend()

    def _asks(self) -> int:
        """How many jobs may be asked after now, one by one: none while the list is asked about all of them."""
        is_quiet = time.monotonic() < self._quiet_until
        return 0 if is_quiet or self._sweeping is not None else self._budget.ready()

    async def _claim_and_work(self) -> int:
        """How many jobs are worked on now that were not before."""
        free = self._free()
        if free <= 0:
            return 0
        await self._budget.refill()
        await self._sweep_if_due()
        claimed = await runtime.in_db(leases.claim_due, free, self._asks())
        for execution_id in claimed:
            self.begin(self._guarded(execution_id), f"look after {execution_id}")
        return len(claimed)

    async def _sweep_if_due(self) -> None:
        """Beside all else: a list may be long, and slow, and starts do not wait for it."""
        if time.monotonic() < self._quiet_until or self._sweeping is not None:
            return
        if self._has_swept:
            # What the list did not answer for is asked after one by one, before it is asked again.
            self._has_swept = False
            return
        if await self._sweeper.is_due():
            self._sweeping = self.begin(self._sweep(), "sweep")

    async def _sweep(self) -> None:
        try:
            await self._sweeper.work()
        except DatabaseError as error:
            logger.warning("The database did not answer, sweeping again: %s", error)
            await asyncio.sleep(1.0)
        except Exception:
            logger.exception("A sweep failed; it is done again")
            await asyncio.sleep(1.0)
        finally:
            self._sweeping, self._has_swept = None, True

    async def _guarded(self, execution_id: uuid.UUID) -> None:
        """One job's trouble is not the others'."""
        try:
            await self.look_after(execution_id)
        except Exception:
            logger.exception(
                "Looking after job %s failed; it is tried again when its lease ends", execution_id
            )

    async def hurry(self, execution_id: uuid.UUID) -> None:
        """Do the next thing for this job now, unless another worker is at it."""
        if await runtime.in_db(leases.claim, execution_id):
            await self._guarded(execution_id)

    async def look_after(self, execution_id: uuid.UUID) -> None:
        """Do the next thing for a claimed job: send it, cancel it, or ask how it is."""
        execution = await runtime.in_db(Execution.objects.get, pk=execution_id)
        if execution.is_terminal:
            return
        if execution.status == QUEUED:
            await submit.send_claimed(execution_id)
            return
        if execution.remote_id is None:
            await runtime.in_db(park, execution_id)
            return
        if execution.cancel_requested_at is not None and execution.cancel_noted_at is None:
            await cancel.ask(execution_id, execution.remote_id)
        await self._ask_after(execution)

    async def _ask_after(self, execution: Execution) -> None:
        if time.monotonic() < self._quiet_until or not await self._take():
            await runtime.in_db(leases.release, execution.pk, timezone.now() + timedelta(seconds=5))
            return
        asked_at = timezone.now()
        try:
            async with asyncio.timeout(leases.CALL_LIMIT):
                answer = await runtime.client().get_execution(execution.remote_id or "", once=True)
        except VideoGenError as error:
            await api_health.heard_error(error)
            await runtime.in_db(self._not_heard, execution, error)
        except TimeoutError:
            await runtime.in_db(look_again, execution, asked_at + backoff.delay(execution.attempts))
        else:
            await api_health.heard_well()
            await runtime.in_db(heard, execution, answer, asked_at)

    def _not_heard(self, execution: Execution, error: VideoGenError) -> None:
        """The answer was an error: nothing is known anew. Say so, and ask again later."""
        now = timezone.now()
        wait, note = backoff.delay(execution.attempts), "VideoGen does not answer; asking again"
        match error:
            case RateLimited():
                seconds = min(error.retry_after or 60.0, 3600.0)
                self._quiet_until = time.monotonic() + seconds
                wait, note = (
                    timedelta(seconds=seconds),
                    "VideoGen's hourly limit is used up; asking again later",
                )
            case Unauthorized():
                wait, note = timedelta(seconds=60), "VideoGen refuses our key; asking again"
            case NotFound() if now - (execution.accepted_at or now) < YOUNG:
                note = execution.note
            case NotFound():
                wait, note = timedelta(minutes=10), UNKNOWN_THERE
        look_again(execution, now + wait, note=note)
        if note != execution.note:
            lifecycle.tell(execution)


def heard(execution: Execution, answer: ToolExecution, asked_at: datetime) -> None:
    """Apply an answer, and set the time of the next look."""
    lifecycle.apply(execution.pk, external_jobs.report_of(answer))
    schedule(execution, asked_at)
    if execution.note:
        lifecycle.tell(execution)


def schedule(before: Execution, asked_at: datetime) -> None:
    """Set the time of the next look at a job that is still running; `before` is the job as it was when asked."""
    age = (asked_at - (before.accepted_at or asked_at)).total_seconds()
    with transaction.atomic():
        job = Execution.objects.select_for_update().get(pk=before.pk)
        if job.is_terminal:
            return
        wait, attempts = pace(age, Execution.objects.filter(ended_at=None).count()), 0
        if job.status == "awaiting_approval":
            wait = max(wait, APPROVAL_PACE)
        if job.cancel_requested_at is not None and job.cancel_noted_at is None:
            # A wish that came while we asked is told at once; one that was not taken is repeated with backoff.
            is_new = before.cancel_requested_at is None
            wait = timedelta(0) if is_new else backoff.delay(job.attempts)
            attempts = 0 if is_new else job.attempts + 1
        now = timezone.now()
        Execution.objects.filter(pk=job.pk).update(
            leased_until=None, next_attempt_at=now + wait, last_heard_at=now, attempts=attempts, note=""
        )


def look_again(before: Execution, at: datetime, *, note: str | None = None) -> None:
    """Set the time of the next look after one in vain; `before` is the job as it was when asked."""
    with transaction.atomic():
        job = Execution.objects.select_for_update().get(pk=before.pk)
        if job.is_terminal:
            return
        columns: dict[str, Any] = {
            "leased_until": None,
            "next_attempt_at": at,
            "attempts": job.attempts + 1,
            "note": job.note if note is None else note,
        }
        if job.cancel_requested_at is not None and before.cancel_requested_at is None:
            # A wish that came while we asked is told at once.
            columns |= {"next_attempt_at": timezone.now(), "attempts": 0}
        Execution.objects.filter(pk=job.pk).update(**columns)


def park(execution_id: uuid.UUID) -> None:
    """Nothing can be done for it by itself: it waits for a person or a webhook."""
    Execution.objects.filter(pk=execution_id, ended_at=None).update(leased_until=None, next_attempt_at=None)


def seconds_until_due() -> float:
    """How long until the next free job is due; LONGEST_REST when there is none."""
    now = timezone.now()
    waiting = Execution.objects.filter(ended_at=None, next_attempt_at__isnull=False, paused_at=None)
    if queue_state.is_paused():
        waiting = waiting.exclude(status=QUEUED, sent_at=None)
    times = waiting.order_by("next_attempt_at").values_list("next_attempt_at", "leased_until")[: AT_ONCE * 2]
    waits = [(max(filter(None, pair)) - now).total_seconds() for pair in times]
    return max(0.0, min(waits, default=LONGEST_REST))
