"""Moves the counts on from one event to a later one: each event is counted once, whoever does it, whenever it crashes."""

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

# Events in one step: the counts of a step are one transaction.
STEP, LONG_STEP = 4000, 200_000
ROWS = 500  # in one statement
# What a row of the counts is made of, in the order of facts.Key, and as PostgreSQL calls what it holds.
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
# PostgreSQL commits in another order than it gives out ids. While ids are missing in a stretch, a transaction may
# be about to bring them: then only what was written so long ago is counted. Most stretches have no gap.
PATIENCE = timedelta(seconds=60)


@dataclass(frozen=True)
class Step:
    """What has been read, to be written if nobody has moved on meanwhile."""

    after: int
    until: int
    counts: Counter[event_reader.Key]


def state() -> RollupState:
    """How far they are; at the beginning, as long as nobody has begun."""
    return RollupState.objects.first() or RollupState()


def behind(at: RollupState) -> int:
    """About how many events are still to be counted: ids may have gaps."""
    last = Event.objects.aggregate(last=Max("id"))["last"] or 0
    return max(0, last - at.event_id)


def is_behind() -> bool:
    return behind(state()) > 0


def claim() -> bool:
    """One worker at a time; a claim ends by itself, should its worker die."""
    RollupState.objects.get_or_create(pk=1)
    return RollupState.objects.take(LEASE) is not None


def release() -> None:
    RollupState.objects.release_all(LEASE)


def read(size: int = STEP) -> Step | None:
    """The next step, read and not written; None when there is nothing that can be counted yet."""
    after = state().event_id
    until = settled(after, size, timezone.now())
    return Step(after, until, event_reader.read(after, until)) if until > after else None


def settled(after: int, size: int, now: datetime) -> int:
    """The last event of the next stretch before which no other can appear any more."""
    first = Event.objects.filter(id__gt=after).order_by("id").values_list("id", flat=True).first()
    if first is None:
        return after
    stretch = Event.objects.filter(id__gt=after, id__lt=first + size)
    found = stretch.aggregate(count=Count("id"), last=Max("id"))
    last: int = found["last"]
    if connection.vendor == "sqlite" or last - after == found["count"]:
        return last
    young = stretch.filter(recorded_at__gt=now - PATIENCE).aggregate(first=Min("id"))["first"]
    return last if young is None else young - 1


def write(step: Step) -> bool:
    """Add what was read. False, and nothing is added, when somebody else counted the same events before."""
    with transaction.atomic():
        now = timezone.now()
        RollupState.objects.get_or_create(pk=1)
        moved = RollupState.objects.filter(pk=1, event_id=step.after).update(
            event_id=step.until, counted_until=now, leased_until=now + LEASE
        )
        if moved:
            _add(step.counts)
    return bool(moved)


def advance(size: int = STEP) -> bool:
    """One step, read and written; False when nothing was left to do."""
    step = read(size)
    return step is not None and write(step)


def clear() -> None:
    """Forget all counts: they begin again with the first event."""
    with transaction.atomic():
        RollupState.objects.update(event_id=0, counted_until=None, leased_until=None)
        Rollup.objects.all().delete()


def _add(counts: Counter[event_reader.Key]) -> None:
    table, quoted = Rollup._meta.db_table, connection.ops.quote_name
    columns = ", ".join(map(quoted, COLUMNS))
    with connection.cursor() as cursor:
        # In one order, so that two writers could not wait for each other.
        for some in batched(sorted(counts.items()), ROWS, strict=False):
            given, values = _given([(*key, count) for key, count in some])
            cursor.execute(
                f"INSERT INTO {table} ({columns}) {given} "
                "ON CONFLICT (period, measure, person, tool, start, value) "
                f"DO UPDATE SET count = {table}.count + excluded.count",
                values,
            )


def _given(rows: Sequence[tuple[Any, ...]]) -> tuple[str, list[Any]]:
    """Rows as something to insert. To PostgreSQL a column at a time: finding thousands of marks in a statement takes
    the driver longer than the database needs for the rows."""
    if connection.vendor == "postgresql":
        return f"SELECT * FROM unnest({', '.join(f'%s::{each}[]' for each in COLUMNS.values())})", [
            list(column) for column in zip(*rows, strict=True)
        ]
    marks = ", ".join(["(" + ", ".join(["%s"] * len(COLUMNS)) + ")"] * len(rows))
    adapt = connection.ops.adapt_datefield_value
    return f"VALUES {marks}", [
        adapt(each) if isinstance(each, date) else each for row in rows for each in row
    ]
