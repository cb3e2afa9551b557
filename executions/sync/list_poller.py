"""Asks after all jobs at once: one page of the account's list answers for 200 of them.

API version 0.0 has no such list: there every job is polled by itself, within the same budget.
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
from executions.lifecycle import leases
from executions.lifecycle import machine as lifecycle
from executions.limits import api_health
from executions.models import Execution
from executions.statuses import TERMINAL, UNCONFIRMED
from executions.sync import external_jobs
from executions.videogen import NotFound, Page, RateLimited, ToolExecution, VideoGenError

logger = logging.getLogger(__name__)

# So many due at once are asked after together; fewer are cheaper, and fresher, one by one.
MANY = 4
# Pages of 200 in one sweep: 12,000 jobs.
MOST_PAGES = 60
# Pages that the first sweep of a process reads at least: 1,000 jobs.
AFTER_A_START = 5
# After so many pages in a row without a job of ours in flight the rest is asked after one by one.
BARREN = 3
# What the note of a job says that VideoGen does not know (any more).
UNKNOWN_THERE = "VideoGen no longer knows this job"
# How long the list is not asked for again where the API turned out not to have it.
ABSENT = 3600.0  # seconds
# How often somebody looks for jobs that were started elsewhere; more often while an answer is lost.
IDLE_LOOK, LOST_LOOK = 300.0, 20.0  # seconds


@dataclass(frozen=True)
class Known:
    """What our row says of a job in flight."""

    pk: uuid.UUID
    status: str
    progress: float | None
    attempt: int | None
    accepted_at: datetime | None
    note: str

    def learns_from(self, answer: ToolExecution) -> bool:
        """Whether the answer says anything else. Most of a large sweep says nothing new, and writes nothing."""
        told = (answer.status, answer.progress, answer.attempt)
        return bool(self.note) or told != (self.status, self.progress, self.attempt)


class Sweeper:
    """`take` hands out calls from the account's budget; `pace` tells when a job of an age is asked after again."""

    def __init__(self, take: Callable[[], Awaitable[bool]], pace: Callable[[float, int], timedelta]) -> None:
        self._take = take
        self._pace = pace
        self._absent_until = 0.0  # monotonic
        self._looked_at: float | None = None  # monotonic
        # Pages that the next sweep reads whatever is on them: the last one broke off there, or a process that stopped.
        self._at_least = AFTER_A_START

    async def is_due(self) -> bool:
        """Whether many jobs are due, or it is time to look for jobs that were started elsewhere."""
        return await self._is_time() or (self._has_list and await runtime.in_db(many_due))

    async def work(self) -> None:
        """Sweep. Without a list there are still webhooks of jobs that nobody here knows."""
        await (self.run() if self._has_list else self._settle())

    @property
    def _has_list(self) -> bool:
        return time.monotonic() >= self._absent_until

    async def _is_time(self) -> bool:
        if self._looked_at is None:
            return True
        quiet = time.monotonic() - self._looked_at
        return quiet >= IDLE_LOOK or (quiet >= LOST_LOOK and await runtime.in_db(any_lost))

    async def run(self) -> int:
        """Ask for the list until it has answered for every job that is due. Returns the number of calls.

        A job that the list does not have is asked after by itself; it must not lead through all of the account's past.
        """
        known, due = await runtime.in_db(in_flight), await runtime.in_db(due_now)
        barren = 0
        is_first = not await runtime.in_db(external_jobs.has_begun)
        calls, cursor, is_past, is_complete = 0, None, False, False
        at_least = self._at_least
        while calls < MOST_PAGES and await self._take():
            # Should it end here, the next one comes as far, and a page farther: the list grows at its top.
            self._at_least = max(at_least, calls + 2)
            page = await self._page(cursor)
            # A start that overtook the call stands in its answer: only what is sent from now on cannot.
            at = timezone.now()
            calls += 1
            if page is None:
                break
            if is_first and calls == 1:
                await runtime.in_db(external_jobs.begin, page.items, at=at)
            barren = 0 if any(each.execution_id in known for each in page.items) else barren + 1
            noted = await runtime.in_db(take_in, page.items, known, at, self._pace, is_past)
            is_past, cursor = noted.reached_past, page.next_cursor
            is_waited_for = barren < BARREN and not due.isdisjoint(known)
            # Behind a page without anything new there are only older ones, where the last sweep came to its end.
            has_more_news = not is_past and (noted.fresh or calls < at_least)
            is_complete = not cursor or not (is_waited_for or has_more_news)
            if is_complete:
                break
        if is_complete or calls >= MOST_PAGES:
            self._at_least = 0
        await self._settle()
        return calls

    async def _settle(self) -> None:
        self._looked_at = time.monotonic()
        await runtime.in_db(external_jobs.settle, timezone.now())

    async def _page(self, cursor: str | None) -> Page[ToolExecution] | None:
        try:
            async with asyncio.timeout(leases.CALL_LIMIT):
                page = await runtime.client().list_executions(cursor=cursor)
        except NotFound:
            logger.info(
                "This version of the API has no list of executions; each job is asked after by itself"
            )
            self._absent_until = time.monotonic() + ABSENT
            return None
        except VideoGenError as error:
            await api_health.heard_error(error)
            wait = (error.retry_after or 60.0) if isinstance(error, RateLimited) else 30.0
            self._absent_until = time.monotonic() + min(wait, ABSENT)
            return None
        except TimeoutError:
            self._absent_until = time.monotonic() + 30.0
            return None
        await api_health.heard_well()
        return page


def many_due() -> bool:
    """At least MANY jobs are to be asked after now."""
    asked = Execution.objects.due(timezone.now()).filter(remote_id__isnull=False)
    return len(asked.values_list("pk")[:MANY]) == MANY


def any_lost() -> bool:
    recent = timezone.now() - timedelta(minutes=10)
    return Execution.objects.filter(status=UNCONFIRMED, ended_at=None, sent_at__gte=recent).exists()


def due_now() -> set[str]:
    """What is to be asked after now, by VideoGen's ids; without what VideoGen said it does not know."""
    asked = Execution.objects.due(timezone.now()).filter(remote_id__isnull=False).exclude(note=UNKNOWN_THERE)
    return {str(remote_id) for remote_id in asked.values_list("remote_id", flat=True)}


def in_flight() -> dict[str, Known]:
    rows = Execution.objects.filter(ended_at=None, remote_id__isnull=False).values_list(
        "remote_id", "pk", "status", "progress", "attempt", "accepted_at", "note"
    )
    return {str(row[0]): Known(*row[1:]) for row in rows}


def take_in(
    found: Sequence[ToolExecution],
    known: dict[str, Known],
    at: datetime,
    pace: Callable[[float, int], timedelta],
    is_past: bool,
) -> external_jobs.Noted:
    """Apply one page. What it answered for is taken out of `known`."""
    count = len(known)
    quiet: dict[timedelta, list[uuid.UUID]] = {}
    for answer in found:
        row = known.pop(answer.execution_id, None)
        if row is None:
            continue
        if row.learns_from(answer):
            lifecycle.apply(row.pk, external_jobs.report_of(answer))
        if answer.status not in TERMINAL:
            age = (at - (row.accepted_at or at)).total_seconds()
            quiet.setdefault(pace(age, count), []).append(row.pk)
    now = timezone.now()
    for wait, ids in quiet.items():
        # A wish to cancel keeps its own time: it is told at once, and repeated with backoff.
        waiting = Execution.objects.filter(pk__in=ids, ended_at=None).exclude(
            cancel_requested_at__isnull=False, cancel_noted_at=None
        )
        waiting.update(leased_until=None, next_attempt_at=now + wait, last_heard_at=now, attempts=0, note="")
    return external_jobs.note(found, at=at, is_past=is_past)
