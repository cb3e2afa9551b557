"""Updates the counts from new events. Each event is counted exactly once, despite crashes and concurrent workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import batched
from typing import Any

from django.db import connection, transaction
from django.db.models import Count, Max, Min
from django.utils import timezone

from executions.models import Event, Rollup, RollupState
from executions.stats import event_reader

# Events per step. The counts of a step are written in one transaction.
STEP, LONG_STEP = 4000, 200_000
ROWS_PER_STATEMENT = 500
# The columns of a count with their PostgreSQL types, in the order of event_reader.Key.
COLUMNS = {
    "period": "text",
    "start": "date",
    "tool": "text",
    "person": "int",
    "measure": "text",
    "value": "text",
    "count": "bigint",
}
LEASE = timedelta(seconds=60)
# PostgreSQL may commit ids out of order. If a range of ids has gaps, an open transaction may still fill them; then
# only events recorded before the last COMMIT_GRACE are counted. Most ranges have no gap.
COMMIT_GRACE = timedelta(seconds=60)


@dataclass(frozen=True)
class Step:
    """Counts that were read, to be written unless another worker has counted the same events meanwhile."""

    after: int
    until: int
    counts: Counter[event_reader.Key]


def state() -> RollupState:
    """How far the events have been counted; initially, before the first event."""
    return RollupState.objects.first() or RollupState()


def backlog(current: RollupState) -> int:
    """The approximate number of events still to count; ids may have gaps."""
    last = Event.objects.aggregate(last=Max("id"))["last"] or 0
    return max(0, last - current.event_id)


def has_backlog() -> bool:
    return backlog(state()) > 0


def claim() -> RollupState | None:
    """Claim the work for one worker; None while another one has it. The lease expires if the worker dies."""
    RollupState.objects.get_or_create(pk=1)
    return next(iter(RollupState.objects.claim(1, LEASE)), None)


def release(claimed: RollupState) -> None:
    """End the lease, unless another worker has it by now."""
    RollupState.objects.release(claimed)


def read(size: int = STEP) -> Step | None:
    """Read the next step without writing it; None when nothing can be counted yet."""
    after = state().event_id
    until = last_settled(after, size, timezone.now())
    return Step(after, until, event_reader.read(after, until)) if until > after else None


def last_settled(after: int, size: int, now: datetime) -> int:
    """The last id, at most `size` ids further, up to which no event can appear any more."""
    first = Event.objects.filter(id__gt=after).order_by("id").values_list("id", flat=True).first()
    if first is None:
        return after
    events = Event.objects.filter(id__gt=after, id__lt=first + size)
    found = events.aggregate(count=Count("id"), last=Max("id"))
    last: int = found["last"]
    if connection.vendor == "sqlite" or last - after == found["count"]:
        return last
    recent = events.filter(recorded_at__gt=now - COMMIT_GRACE).aggregate(first=Min("id"))["first"]
    return last if recent is None else recent - 1


def write(step: Step, claimed: RollupState | None = None) -> bool:
    """Add the counts of a step. False, without changes, if another worker has counted the same events.

    Extends the lease; with `claimed`, so that this row can release it.
    """
    now = timezone.now()
    leased_until = now + LEASE
    with transaction.atomic():
        RollupState.objects.get_or_create(pk=1)
        # Not `renew`: the position decides. A step counts even if the lease was lost, or was never claimed.
        is_ours = RollupState.objects.filter(pk=1, event_id=step.after).update(
            event_id=step.until, counted_until=now, leased_until=leased_until
        )
        if is_ours:
            _add(step.counts)
    if is_ours and claimed is not None:
        claimed.leased_until = leased_until
    return bool(is_ours)


def advance(size: int = STEP) -> bool:
    """Read and write one step; False when there was nothing to count."""
    step = read(size)
    return step is not None and write(step)


def clear() -> None:
    """Delete all counts. Counting starts again from the first event."""
    with transaction.atomic():
        RollupState.objects.update(event_id=0, counted_until=None, leased_until=None)
        Rollup.objects.all().delete()


def _add(counts: Counter[event_reader.Key]) -> None:
    table, quoted = Rollup._meta.db_table, connection.ops.quote_name
    columns = ", ".join(map(quoted, COLUMNS))
    with connection.cursor() as cursor:
        # Sorted, so that two writers cannot deadlock.
        for batch in batched(sorted(counts.items()), ROWS_PER_STATEMENT, strict=False):
            source, values = _insert_source([(*key, count) for key, count in batch])
            cursor.execute(
                f"INSERT INTO {table} ({columns}) {source} "
                "ON CONFLICT (period, measure, person, tool, start, value) "
                f"DO UPDATE SET count = {table}.count + excluded.count",
                values,
            )


def _insert_source(rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """The rows as the source of an INSERT, with its parameters.

    PostgreSQL gets one array per column: with thousands of placeholders, the driver would take longer to parse the
    statement than the database to insert the rows.
    """
    if connection.vendor == "postgresql":
        return f"SELECT * FROM unnest({', '.join(f'%s::{each}[]' for each in COLUMNS.values())})", [
            list(column) for column in zip(*rows, strict=True)
        ]
    placeholders = ", ".join(["(" + ", ".join(["%s"] * len(COLUMNS)) + ")"] * len(rows))
    adapt = connection.ops.adapt_datefield_value
    return f"VALUES {placeholders}", [
        adapt(each) if isinstance(each, date) else each for row in rows for each in row
    ]
