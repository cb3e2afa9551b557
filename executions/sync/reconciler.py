"""The reconciler: sends queued jobs, polls running jobs, and retries calls that failed.

Webhooks report finished jobs. Progress, and finished jobs whose webhook never arrived, are learned by polling.
Each job has the time of its next attempt (`next_attempt_at`). A reconciler claims the due jobs, works on several
concurrently, and sleeps until the next one is due or an event wakes it.
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
from executions.lifecycle import cancel, chains, leases, queue_state, status_machine
from executions.limits import api_health, poll_budget
from executions.limits.poll_budget import HOURLY_BUDGET
from executions.models import Execution
from executions.signals import execution_changed, queue_changed
from executions.statuses import PENDING, QUEUED, TERMINAL
from executions.sync import external_jobs, submit
from executions.sync.list_poller import UNKNOWN_AT_VIDEOGEN, ListPoller
from executions.videogen import NotFound, RateLimited, ToolExecution, Unauthorized, VideoGenError

logger = logging.getLogger(__name__)

# (age limit, poll interval) by the time since VideoGen accepted the job, in seconds; docs/api-notes.md#polling.
POLL_INTERVALS: tuple[tuple[float, float], ...] = ((10, 1), (30, 2), (300, 5), (3600, 20))
OVERDUE_POLL_INTERVAL = 180.0  # seconds; for older jobs
# A person at VideoGen has to act first, so frequent polls would find nothing new.
APPROVAL_POLL_INTERVAL = timedelta(seconds=20)
MAX_CONCURRENT = 10
MAX_SLEEP = 5.0  # seconds; other processes cannot wake this one
MIN_SLEEP = 0.1  # seconds, while due jobs are held back
NOT_FOUND_GRACE = timedelta(minutes=2)  # a 404 for a younger job is ignored


def poll_interval(age: float, in_flight: int) -> timedelta:
    """The time until a job of this age (seconds) is polled again, with `in_flight` jobs sharing the budget."""
    by_age = next((interval for limit, interval in POLL_INTERVALS if age < limit), OVERDUE_POLL_INTERVAL)
    by_budget = in_flight * 3600 / HOURLY_BUDGET
    return timedelta(seconds=max(by_age, by_budget))


class Reconciler(Worker):
    """Several may share a PostgreSQL database; on SQLite there is one, inside `serve`."""

    name = "job"
    max_sleep = MAX_SLEEP

    def __init__(self, budget: poll_budget.SharedBudget = poll_budget.shared) -> None:
        super().__init__()
        self._finished_jobs: set[uuid.UUID] = set()
        self._waking_dependents: asyncio.Task[None] | None = None
        self._budget = budget
        self._no_polls_before = 0.0  # monotonic; VideoGen asked for no reads before this
        self._list_poller = ListPoller(budget.spend, poll_interval)
        self._list_poll: asyncio.Task[None] | None = None
        self._has_polled_list = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """React to changes made by this process immediately, while this context is active."""
        wake_dependents = partial(sync_bridge.post, self._add_finished, loop=asyncio.get_running_loop())

        def on_change(*, execution_id: uuid.UUID, created: bool, to_status: str, **_: Any) -> None:
            if to_status in TERMINAL:
                wake_dependents(execution_id)
            elif created or to_status == PENDING:
                self.wake()

        def on_queue_change(**_: Any) -> None:
            self.wake()

        execution_changed.connect(on_change, dispatch_uid=id(self))
        queue_changed.connect(on_queue_change, dispatch_uid=id(self))
        try:
            yield
        finally:
            execution_changed.disconnect(dispatch_uid=id(self))
            queue_changed.disconnect(dispatch_uid=id(self))

    def _add_finished(self, execution_id: uuid.UUID) -> None:
        self._finished_jobs.add(execution_id)
        if self._waking_dependents is None or self._waking_dependents.done():
            # Most jobs have no dependents, so the task wakes the loop itself if it finds some.
            self._waking_dependents = self.start_task(self._wake_dependents(), "wake dependents", wakes=False)

    async def _wake_dependents(self) -> None:
        """Wake the dependents of finished jobs. Those that finish during a query are handled together by the next."""
        while self._finished_jobs:
            ended, self._finished_jobs = self._finished_jobs, set()
            try:
                if await runtime.in_db(chains.wake_dependents, *ended):
                    self.wake()
            except DatabaseError as error:
                logger.warning("Could not wake dependent jobs, they start when they are next due: %s", error)

    async def step(self) -> float:
        claimed = await self._claim_and_work()
        if self._free_slots() <= 0:
            return MAX_SLEEP  # the first finished task wakes the loop
        seconds = await runtime.in_db(seconds_until_due)
        if not claimed and not seconds:
            # Due jobs that were not claimed belong to batches and need a free slot or start, which wakes the loop.
            seconds = MIN_SLEEP
        if self._polls_allowed() < 1:
            # Due jobs may not be polled now. Without a longer sleep, the loop would spin.
            seconds = max(seconds, 1.0)
        return seconds

    def _free_slots(self) -> int:
        """How many more jobs this process can work on. The list poll and the waking of dependents do not count."""
        return MAX_CONCURRENT - len(self.tasks - {self._list_poll, self._waking_dependents})

    def _polls_allowed(self) -> int:
        """How many jobs may be polled individually now. None during a list poll."""
        is_suspended = time.monotonic() < self._no_polls_before
        return 0 if is_suspended or self._list_poll is not None else self._budget.available()

    async def _claim_and_work(self) -> int:
        """Returns the number of jobs claimed."""
        free = self._free_slots()
        if free <= 0:
            return 0
        await self._budget.refill()
        await self._poll_list_if_due()
        claimed = await runtime.in_db(leases.claim_due, free, self._polls_allowed())
        for execution_id in claimed:
            self.start_task(self._guarded(execution_id), f"job {execution_id}")
        return len(claimed)

    async def _poll_list_if_due(self) -> None:
        """Start a list poll as a separate task: it may be slow, and must not delay starts."""
        if time.monotonic() < self._no_polls_before or self._list_poll is not None:
            return
        if self._has_polled_list:
            # Poll the jobs that were not listed individually, before the list is polled again.
            self._has_polled_list = False
            return
        if await self._list_poller.is_due():
            self._list_poll = self.start_task(self._poll_list(), "list poll")

    async def _poll_list(self) -> None:
        try:
            await self._list_poller.work()
        except DatabaseError as error:
            logger.warning("List poll: the database did not respond, will retry: %s", error)
            await asyncio.sleep(1.0)
        except Exception:
            logger.exception("List poll: unexpected error, will retry")
            await asyncio.sleep(1.0)
        finally:
            self._list_poll, self._has_polled_list = None, True

    async def _guarded(self, execution_id: uuid.UUID) -> None:
        """Errors of one job do not affect the others."""
        try:
            await self.process(execution_id)
        except Exception:
            logger.exception("Job %s: unexpected error, will retry when its lease expires", execution_id)

    async def process_now(self, execution_id: uuid.UUID) -> None:
        """Process this job now, unless another worker has claimed it."""
        if await runtime.in_db(leases.claim, execution_id):
            await self._guarded(execution_id)

    async def process(self, execution_id: uuid.UUID) -> None:
        """Take the next step for a claimed job: send, cancel, or poll it."""
        execution = await runtime.in_db(Execution.objects.get, pk=execution_id)
        if execution.is_terminal:
            return
        if execution.status == QUEUED:
            await submit.send_claimed(execution_id)
            return
        if execution.remote_id is None:
            await runtime.in_db(unschedule, execution_id)
            return
        if execution.cancel_requested_at is not None and execution.cancel_accepted_at is None:
            await cancel.send_request(execution_id, execution.remote_id)
        await self._poll(execution)

    async def _poll(self, execution: Execution) -> None:
        if time.monotonic() < self._no_polls_before or not await self._budget.spend():
            await runtime.in_db(leases.release, execution.pk, timezone.now() + timedelta(seconds=5))
            return
        polled_at = timezone.now()
        try:
            async with asyncio.timeout(leases.CALL_LIMIT):
                answer = await runtime.client().get_execution(execution.remote_id or "", once=True)
        except VideoGenError as error:
            await api_health.record_error(error)
            await runtime.in_db(self._poll_failed, execution, error)
        except TimeoutError:
            await runtime.in_db(schedule_retry, execution, polled_at + backoff.delay(execution.attempts))
        else:
            await api_health.record_success()
            await runtime.in_db(apply_response, execution, answer, polled_at)

    def _poll_failed(self, execution: Execution, error: VideoGenError) -> None:
        """The poll failed: show why, and schedule the next one."""
        now = timezone.now()
        wait, note = backoff.delay(execution.attempts), "VideoGen does not respond; retrying"
        match error:
            case RateLimited():
                seconds = min(error.retry_after or 60.0, 3600.0)
                self._no_polls_before = time.monotonic() + seconds
                wait, note = timedelta(seconds=seconds), "VideoGen's hourly limit is used up; retrying later"
            case Unauthorized():
                wait, note = timedelta(seconds=60), "VideoGen rejects the API key; retrying"
            case NotFound() if now - (execution.accepted_at or now) < NOT_FOUND_GRACE:
                note = execution.note
            case NotFound():
                wait, note = timedelta(minutes=10), UNKNOWN_AT_VIDEOGEN
        schedule_retry(execution, now + wait, note=note)
        if note != execution.note:
            status_machine.announce_change(execution)


def apply_response(execution: Execution, answer: ToolExecution, polled_at: datetime) -> None:
    """Apply a response and schedule the next poll."""
    status_machine.apply(execution.pk, external_jobs.to_observation(answer))
    schedule_poll(execution, polled_at)
    if execution.note:
        status_machine.announce_change(execution)


def schedule_poll(before: Execution, polled_at: datetime) -> None:
    """Schedule the next poll of a job in flight. `before` is the job as it was before the poll."""
    age = (polled_at - (before.accepted_at or polled_at)).total_seconds()
    with transaction.atomic():
        job = Execution.objects.select_for_update().get(pk=before.pk)
        if job.is_terminal:
            return
        wait, attempts = poll_interval(age, Execution.objects.filter(ended_at=None).count()), 0
        if job.status == "awaiting_approval":
            wait = max(wait, APPROVAL_POLL_INTERVAL)
        if job.cancel_requested_at is not None and job.cancel_accepted_at is None:
            # A cancel request made during the poll is sent immediately; one that failed is retried with backoff.
            is_new = before.cancel_requested_at is None
            wait = timedelta(0) if is_new else backoff.delay(job.attempts)
            attempts = 0 if is_new else job.attempts + 1
        now = timezone.now()
        Execution.objects.release(
            job, next_attempt_at=now + wait, last_reported_at=now, attempts=attempts, note=""
        )


def schedule_retry(before: Execution, at: datetime, *, note: str | None = None) -> None:
    """Schedule the next poll after one that failed. `before` is the job as it was before the poll."""
    with transaction.atomic():
        job = Execution.objects.select_for_update().get(pk=before.pk)
        if job.is_terminal:
            return
        columns: dict[str, Any] = {
            "next_attempt_at": at,
            "attempts": job.attempts + 1,
            "note": job.note if note is None else note,
        }
        if job.cancel_requested_at is not None and before.cancel_requested_at is None:
            # A cancel request made during the poll is sent immediately.
            columns |= {"next_attempt_at": timezone.now(), "attempts": 0}
        Execution.objects.release(job, **columns)


def unschedule(execution_id: uuid.UUID) -> None:
    """Unschedule a job that only a person or a webhook can move forward, with or without a lease on it."""
    Execution.objects.filter(pk=execution_id, ended_at=None).update(leased_until=None, next_attempt_at=None)


def seconds_until_due() -> float:
    """Seconds until the next unclaimed job is due; MAX_SLEEP if there is none."""
    now = timezone.now()
    waiting = Execution.objects.filter(ended_at=None, next_attempt_at__isnull=False, paused_at=None)
    if queue_state.is_paused():
        waiting = waiting.exclude(status=QUEUED, sent_at=None)
    times = waiting.order_by("next_attempt_at").values_list("next_attempt_at", "leased_until")[
        : MAX_CONCURRENT * 2
    ]
    waits = [(max(filter(None, pair)) - now).total_seconds() for pair in times]
    return max(0.0, min(waits, default=MAX_SLEEP))
