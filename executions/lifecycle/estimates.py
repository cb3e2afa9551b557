"""Estimates for people who wait: the position in the queue, the typical duration, and the time of submission."""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from statistics import median

from django.core.cache import cache
from django.utils import timezone

from executions.core.ids import first_at
from executions.lifecycle import leases, queue_state
from executions.limits import rate_limits
from executions.limits.rate_limits import HOUR, LimitState
from executions.models import Batch, Execution, Queue
from executions.statuses import SUCCEEDED
from executions.videogen import Group

# Queued jobs that get a position number. Pages show none for jobs further back.
MAX_POSITIONS = 1000
# An estimate uses this many of the last runs, and is cached for this many seconds.
SAMPLE_SIZE, CACHE_TTL = 20, 60
# Concurrent submissions of a batch: the reconciler's MAX_CONCURRENT less leases.RESERVED_SLOTS.
CONCURRENT_STARTS = 6
# Seconds that a submission takes, until one has been measured.
DEFAULT_START_SECONDS = 2.0


@dataclass(frozen=True)
class TypicalDuration:
    """The median duration of a tool's last successful jobs, from acceptance to finish, in seconds."""

    seconds: float
    runs: int

    @property
    def text(self) -> str:
        return f"about {format_duration(self.seconds)}"


def format_duration(seconds: float) -> str:
    """Format a duration with limited precision: 4 s, 40 s, 3 min, 1 h 10 min."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{minutes} min" if not hours else f"{hours} h {rest} min" if rest else f"{hours} h"


def typical_duration(tool: str) -> TypicalDuration | None:
    """None if no job of this tool has succeeded yet."""
    key = f"typical-duration:{tool}"
    cached: TypicalDuration | str | None = cache.get(key)
    if cached is None:
        cached = _measure(tool) or ""
        cache.set(key, cached, CACHE_TTL)
    return cached if isinstance(cached, TypicalDuration) else None


def _measure(tool: str) -> TypicalDuration | None:
    rows = (
        Execution.objects.filter(tool=tool, status=SUCCEEDED)
        .order_by("-id")
        .values_list("accepted_at", "ended_at")[:SAMPLE_SIZE]
    )
    # Skip runs that end before they begin: the two times come from different clocks.
    durations = [(end - begin).total_seconds() for begin, end in rows if begin and end and end > begin]
    return TypicalDuration(median(durations), len(durations)) if durations else None


class QueueSnapshot:
    """The state of the queue, for one page or message. Each part is queried on first use."""

    @cached_property
    def queued_ids(self) -> list[uuid.UUID]:
        """The first queued jobs, in the order of submission."""
        return list(Execution.objects.send_queue().values_list("pk", flat=True)[: MAX_POSITIONS + 1])

    @cached_property
    def _positions(self) -> dict[uuid.UUID, int]:
        return {pk: position for position, pk in enumerate(self.queued_ids[:MAX_POSITIONS], start=1)}

    @cached_property
    def queue(self) -> Queue:
        return queue_state.state()

    @cached_property
    def starts(self) -> LimitState:
        return rate_limits.starts()

    def position(self, execution: Execution) -> int | None:
        """From 1. None if the job is not queued, or is beyond MAX_POSITIONS."""
        return self._positions.get(execution.pk)

    def held_until(self, execution: Execution) -> datetime | None:
        """When VideoGen's hourly limit allows the submission; None if the limit does not hold it back."""
        in_batch = execution.batch_id is not None and execution.prioritised_at is None
        return self.starts.opens_at(timezone.now(), in_batch=in_batch)


# --- the forecast of a batch ------------------------------------------------------------------------------


@dataclass(frozen=True)
class SubmissionForecast:
    """When `count` queued jobs will have been submitted, at the recent speed of VideoGen's responses."""

    count: int
    sent_by: datetime
    starts: LimitState
    usable: int
    """Submissions that a batch may still make in this hour."""
    limit: int


def forecast(count: int, *, batch: Batch | None = None) -> SubmissionForecast | None:
    """Forecast `count` further jobs (a plan), or the queued jobs of `batch` if given. None if there are none."""
    queued = Execution.objects.send_queue()
    begin = timezone.now()
    if batch is not None:
        own = queued.filter(batch=batch, prioritised_at=None)
        count = own.count()
        begin = max(begin, batch.sends_at)
        # Jobs that are submitted first: single jobs, and batches that were started earlier.
        queued = queued.exclude(batch=batch).exclude(
            batch__isnull=False, batch__created_at__gt=batch.created_at
        )
    if not count:
        return None
    starts = rate_limits.starts()
    limit = starts.limit or rate_limits.DOCUMENTED[Group.TOOLS]
    remaining = limit - _count_recent_starts() if starts.remaining is None else starts.remaining
    usable = max(0, remaining - rate_limits.reserve(limit))
    sent_by = _sent_by(
        queued.count() + count, begin, usable, max(1, limit - rate_limits.reserve(limit)), starts.reset_at
    )
    return SubmissionForecast(count, sent_by, starts, usable, limit)


def _sent_by(count: int, begin: datetime, usable: int, hourly: int, reset_at: datetime | None) -> datetime:
    interval = timedelta(seconds=_start_seconds() / CONCURRENT_STARTS)
    if count <= usable:
        sent_by = begin + count * interval
    else:
        hours, last = divmod(count - usable - 1, hourly)
        opens = max(begin, reset_at or begin + HOUR)
        sent_by = opens + hours * HOUR + (last + 1) * interval
    # Round up to whole minutes and add one, so that the forecast holds.
    return datetime.fromtimestamp(math.ceil(sent_by.timestamp() / 60) * 60, sent_by.tzinfo) + timedelta(
        minutes=1
    )


def _start_seconds() -> float:
    """Median seconds from sending to the response over the last submissions, at least 0.2, at most CALL_LIMIT."""
    rows = (
        Execution.objects.filter(accepted_at__isnull=False, sent_at__isnull=False)
        .order_by("-id")
        .values_list("sent_at", "accepted_at")[:SAMPLE_SIZE]
    )
    durations = [(end - begin).total_seconds() for begin, end in rows if begin and end and end > begin]
    return min(max(median(durations), 0.2), leases.CALL_LIMIT) if durations else DEFAULT_START_SECONDS


def _count_recent_starts() -> int:
    """Jobs that we submitted in the last hour. Used while VideoGen has not reported the remaining calls."""
    now = timezone.now()
    # Ids sort by time: this limits the scan to the jobs of the last day.
    recent = Execution.objects.filter(pk__gte=first_at(now - timedelta(days=1)))
    return recent.filter(accepted_at__gte=now - HOUR, sent_at__isnull=False).count()
