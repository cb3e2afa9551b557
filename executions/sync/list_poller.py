"""Polls many jobs at once: one page of the account's list has the states of 200 jobs.

API version 0.0 has no such list. There each job is polled individually, within the same budget.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from executions.core import runtime
from executions.lifecycle import leases, status_machine
from executions.limits import api_health
from executions.models import Execution
from executions.statuses import TERMINAL, UNCONFIRMED
from executions.sync import external_jobs
from executions.videogen import ApiPage, NotFound, RateLimited, ToolExecution, VideoGenError

logger = logging.getLogger(__name__)

# Jobs due at once from which the list is polled. Fewer are polled individually: cheaper, and fresher.
MIN_DUE = 4
# Pages of 200 jobs in one list poll: 12,000 jobs.
MAX_PAGES = 60
# Pages that a process reads at least in its first list poll: 1,000 jobs.
MIN_PAGES_AT_START = 5
# Consecutive pages without one of our jobs in flight, after which the remaining jobs are polled individually.
MAX_EMPTY_PAGES = 3
# The note of a job that VideoGen answered with 404. Stored.
UNKNOWN_AT_VIDEOGEN = "VideoGen no longer knows this job"
# Seconds until the list is tried again on an API version that does not have it.
UNSUPPORTED_RETRY_AFTER = 3600.0
# Time between list polls for external jobs; shorter while there are unconfirmed jobs.
IDLE_INTERVAL, UNCONFIRMED_INTERVAL = 300.0, 20.0  # seconds

# Time between two attempts to take a call from an empty budget, which gains about one a second.
BUDGET_INTERVAL = 1.0  # seconds


@dataclass(frozen=True)
class InFlightJob:
    """Our row of a job in flight."""

    pk: uuid.UUID
    status: str
    progress: float | None
    attempt: int | None
    accepted_at: datetime | None
    note: str

    def differs_from(self, answer: ToolExecution) -> bool:
        """Whether the response differs from the row. Most listed jobs have not changed and cause no write."""
        reported = (answer.status, answer.progress, answer.attempt)
        return bool(self.note) or reported != (self.status, self.progress, self.attempt)


class ListPoller:
    """`spend_call` takes one call from the polling budget, if it can. `poll_interval` is the reconciler's."""

    def __init__(
        self, spend_call: Callable[[], Awaitable[bool]], poll_interval: Callable[[float, int], timedelta]
    ) -> None:
        self._spend_call = spend_call
        self._poll_interval = poll_interval
        self._unavailable_until = 0.0  # monotonic
        self._polled_at: float | None = None  # monotonic
        # Pages that the next list poll reads regardless of their content, because the last one, or the previous
        # process, stopped before it had read them.
        self._min_pages = MIN_PAGES_AT_START

    async def is_due(self) -> bool:
        """Whether many jobs are due, or it is time to check for external jobs."""
        return await self._is_time() or (self._has_list and await runtime.in_db(are_many_due))

    async def work(self) -> None:
        """Poll the list. Without a list, only match the unknown jobs that webhooks named."""
        await (self.run() if self._has_list else self._match_and_import())

    @property
    def _has_list(self) -> bool:
        return time.monotonic() >= self._unavailable_until

    async def _is_time(self) -> bool:
        if self._polled_at is None:
            return True
        elapsed = time.monotonic() - self._polled_at
        return elapsed >= IDLE_INTERVAL or (
            elapsed >= UNCONFIRMED_INTERVAL and await runtime.in_db(has_recent_unconfirmed)
        )

    async def run(self) -> int:
        """Read pages until every due job was listed. Returns the number of calls.

        A job that is not listed is polled individually, so that it does not cause the whole list to be read.
        """
        unanswered, due = await runtime.in_db(jobs_in_flight), await runtime.in_db(due_remote_ids)
        empty_pages = 0
        is_first = not await runtime.in_db(external_jobs.has_baseline)
        calls, cursor, is_past, is_complete = 0, None, False, False
        min_pages = self._min_pages
        while calls < MAX_PAGES:
            if not await self._spend_call():
                # A list poll that ended here would begin again at the first page, and never reach the last ones.
                await asyncio.sleep(BUDGET_INTERVAL)
                continue
            # If this fails, the next list poll reads as far and one page more: the list grows at its top.
            self._min_pages = max(min_pages, calls + 2)
            page = await self._page(cursor)
            # Take the time after the response: jobs that were sent during the call may be listed.
            at = timezone.now()
            calls += 1
            if page is None:
                break
            if is_first and calls == 1:
                await runtime.in_db(external_jobs.record_baseline, page.items, at=at)
            is_empty = all(each.execution_id not in unanswered for each in page.items)
            empty_pages = empty_pages + 1 if is_empty else 0
            recorded = await runtime.in_db(
                apply_page, page.items, unanswered, at, self._poll_interval, is_past
            )
            is_past, cursor = recorded.reached_baseline, page.next_cursor
            may_list_due = empty_pages < MAX_EMPTY_PAGES and not due.isdisjoint(unanswered)
            # If the last list poll was complete, a page without new jobs is followed only by known ones.
            may_list_new = not is_past and (recorded.new_rows or calls < min_pages)
            is_complete = not cursor or not (may_list_due or may_list_new)
            if is_complete:
                break
        if is_complete or calls >= MAX_PAGES:
            self._min_pages = 0
        await self._match_and_import()
        return calls

    async def _match_and_import(self) -> None:
        self._polled_at = time.monotonic()
        await runtime.in_db(external_jobs.match_and_import, timezone.now())

    async def _page(self, cursor: str | None) -> ApiPage[ToolExecution] | None:
        try:
            async with asyncio.timeout(leases.CALL_LIMIT):
                page = await runtime.client().list_executions(cursor=cursor)
        except NotFound:
            logger.info("This API version has no list of executions; jobs are polled individually")
            self._unavailable_until = time.monotonic() + UNSUPPORTED_RETRY_AFTER
            return None
        except VideoGenError as error:
            await api_health.record_error(error)
            wait = (error.retry_after or 60.0) if isinstance(error, RateLimited) else 30.0
            self._unavailable_until = time.monotonic() + min(wait, UNSUPPORTED_RETRY_AFTER)
            return None
        except TimeoutError:
            self._unavailable_until = time.monotonic() + 30.0
            return None
        await api_health.record_success()
        return page


def are_many_due() -> bool:
    """Whether at least MIN_DUE jobs are due to be polled."""
    due = Execution.objects.due(timezone.now()).filter(remote_id__isnull=False)
    return len(due.values_list("pk")[:MIN_DUE]) == MIN_DUE


def has_recent_unconfirmed() -> bool:
    recent = timezone.now() - timedelta(minutes=10)
    return Execution.objects.filter(status=UNCONFIRMED, ended_at=None, sent_at__gte=recent).exists()


def due_remote_ids() -> set[str]:
    """VideoGen's ids of the jobs that are due to be polled, except those that VideoGen does not know."""
    due = Execution.objects.due(timezone.now()).filter(remote_id__isnull=False)
    remote_ids = due.exclude(note=UNKNOWN_AT_VIDEOGEN).values_list("remote_id", flat=True)
    return {str(remote_id) for remote_id in remote_ids}


def jobs_in_flight() -> dict[str, InFlightJob]:
    rows = Execution.objects.filter(ended_at=None, remote_id__isnull=False).values_list(
        "remote_id", "pk", "status", "progress", "attempt", "accepted_at", "note"
    )
    return {str(row[0]): InFlightJob(*row[1:]) for row in rows}


def apply_page(
    found: Sequence[ToolExecution],
    unanswered: dict[str, InFlightJob],
    at: datetime,
    poll_interval: Callable[[float, int], timedelta],
    is_past: bool,
) -> external_jobs.RecordResult:
    """Apply one page. Removes the jobs that it lists from `unanswered`."""
    count = len(unanswered)
    by_interval: dict[timedelta, list[uuid.UUID]] = {}
    for answer in found:
        row = unanswered.pop(answer.execution_id, None)
        if row is None:
            continue
        if row.differs_from(answer):
            status_machine.apply(row.pk, external_jobs.to_observation(answer))
        if answer.status not in TERMINAL:
            age = (at - (row.accepted_at or at)).total_seconds()
            by_interval.setdefault(poll_interval(age, count), []).append(row.pk)
    now = timezone.now()
    for wait, ids in by_interval.items():
        # A cancel request has its own schedule: it is sent immediately and retried with backoff.
        polled = Execution.objects.filter(pk__in=ids, ended_at=None).exclude(
            cancel_requested_at__isnull=False, cancel_accepted_at=None
        )
        # Not `release`: a list poll holds no leases. It ends those of polls that its answer has made superfluous.
        polled.update(
            leased_until=None, next_attempt_at=now + wait, last_reported_at=now, attempts=0, note=""
        )
    return external_jobs.record_listed(found, at=at, is_past=is_past)
