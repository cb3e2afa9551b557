"""What can honestly be said to somebody who waits: the place in line, how long such a job usually runs, by when it is sent."""

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

# So many of the line are numbered; who stands behind them hears that there are more.
NUMBERED = 1000
# The last runs that an estimate is made from, and how long (seconds) it is used again.
RUNS, KEPT = 20, 60
# Starts of a batch that are under way at once (reconciler.MAX_CONCURRENT less the places kept free).
LANES = 6
# Seconds that a start takes, where none was measured yet.
START_TAKES = 2.0


@dataclass(frozen=True)
class Usual:
    """The median run of a tool's last successes, from VideoGen's yes to the end."""

    seconds: float
    runs: int

    @property
    def words(self) -> str:
        runs = "the last run" if self.runs == 1 else f"the last {self.runs} runs"
        return f"about {about(self.seconds)}, from {runs}"


def about(seconds: float) -> str:
    """A duration that does not pretend to be exact: 4 s, 40 s, 3 min, 1 h 10 min."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{5 * round(seconds / 5)} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{minutes} min" if not hours else f"{hours} h {rest} min" if rest else f"{hours} h"


def usual(tool: str) -> Usual | None:
    """None while no run of this tool has succeeded: then there is nothing to tell."""
    key = f"usual:{tool}"
    known: Usual | str | None = cache.get(key)
    if known is None:
        known = _measured(tool) or ""
        cache.set(key, known, KEPT)
    return known if isinstance(known, Usual) else None


def _measured(tool: str) -> Usual | None:
    rows = (
        Execution.objects.filter(tool=tool, status=SUCCEEDED)
        .order_by("-id")
        .values_list("accepted_at", "ended_at")[:RUNS]
    )
    # Clocks may disagree about which came first: such a run tells nothing.
    took = [(end - begin).total_seconds() for begin, end in rows if begin and end and end > begin]
    return Usual(median(took), len(took)) if took else None


class Waits:
    """One look at the queue, for a page or a message: each part is read when it is first asked for."""

    @cached_property
    def line(self) -> list[uuid.UUID]:
        """The first of those who wait, in turn."""
        return list(Execution.objects.send_queue().values_list("pk", flat=True)[: NUMBERED + 1])

    @cached_property
    def _places(self) -> dict[uuid.UUID, int]:
        return {pk: place for place, pk in enumerate(self.line[:NUMBERED], start=1)}

    @cached_property
    def queue(self) -> Queue:
        return queue_state.state()

    @cached_property
    def starts(self) -> LimitState:
        return rate_limits.starts()

    def place(self, execution: Execution) -> int | None:
        """From 1; None where it stands in no line, or too far behind to be counted."""
        return self._places.get(execution.pk)

    def held_until(self, execution: Execution) -> datetime | None:
        """When VideoGen's hourly limit lets it go, if that is what it waits for."""
        in_batch = execution.batch_id is not None and execution.hastened_at is None
        return self.starts.opens_at(timezone.now(), in_batch=in_batch)


# --- the promise of a batch -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Promise:
    """By when so many starts have gone out, if VideoGen answers as it did."""

    count: int
    by: datetime
    starts: LimitState
    left: int
    """Starts of this hour that a batch may still take."""
    limit: int


def promise(count: int, *, batch: Batch | None = None) -> Promise | None:
    """For `count` jobs more (`batch` None: a plan), or for those of `batch` that still wait; None when there are none."""
    line = Execution.objects.send_queue()
    begin = timezone.now()
    if batch is not None:
        own = line.filter(batch=batch, hastened_at=None)
        count = own.count()
        begin = max(begin, batch.sends_at)
        # What stands before its last job goes first: single jobs, and batches that were started earlier.
        line = line.exclude(batch=batch).exclude(batch__isnull=False, batch__created_at__gt=batch.created_at)
    if not count:
        return None
    starts = rate_limits.starts()
    limit = starts.limit or rate_limits.DOCUMENTED[Group.TOOLS]
    left = limit - _sent_lately() if starts.remaining is None else starts.remaining
    usable = max(0, left - rate_limits.reserve(limit))
    by = _sent_by(
        line.count() + count, begin, usable, max(1, limit - rate_limits.reserve(limit)), starts.reset_at
    )
    return Promise(count, by, starts, usable, limit)


def _sent_by(count: int, begin: datetime, usable: int, hourly: int, reset_at: datetime | None) -> datetime:
    each = timedelta(seconds=_start_takes() / LANES)
    if count <= usable:
        by = begin + count * each
    else:
        hours, last = divmod(count - usable - 1, hourly)
        opens = max(begin, reset_at or begin + HOUR)
        by = opens + hours * HOUR + (last + 1) * each
    # Whole minutes, and the next one: a promise that is kept.
    return datetime.fromtimestamp(math.ceil(by.timestamp() / 60) * 60, by.tzinfo) + timedelta(minutes=1)


def _start_takes() -> float:
    """Seconds from sending to the answer, the median of the last starts; at least what the wire needs."""
    rows = (
        Execution.objects.filter(accepted_at__isnull=False, sent_at__isnull=False)
        .order_by("-id")
        .values_list("sent_at", "accepted_at")[:RUNS]
    )
    took = [(end - begin).total_seconds() for begin, end in rows if begin and end and end > begin]
    return min(max(median(took), 0.2), leases.CALL_LIMIT) if took else START_TAKES


def _sent_lately() -> int:
    """Our own starts of the last hour, where VideoGen has not told what is left."""
    now = timezone.now()
    # Ids sort by time: only the jobs of the last day are looked through.
    lately = Execution.objects.filter(pk__gte=first_at(now - timedelta(days=1)))
    return lately.filter(accepted_at__gte=now - HOUR, sent_at__isnull=False).count()
