"""Computes what a range of events adds to the counts. It writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import F, Field, Func, Q
from django.db.models.fields.json import KeyTextTransform

from executions.models import Event
from executions.models.event import Kind, Source
from executions.models.rollup import ANY_PERSON, ANY_TOOL, NO_PERSON, Measure, Period
from executions.stats import histogram
from executions.statuses import CANCELLED, FAILED, TERMINAL

type Cell = tuple[date, str, int, str, str]  # day, tool, person, measure, value
type Key = tuple[str, date, str, int, str, str]  # period, start, tool, person, measure, value

COUNTED = (Kind.STARTED, Kind.STATUS, Kind.ATTEMPT)
REPORTING_SOURCES = (Source.WEBHOOK, Source.POLL)
FETCH_SIZE = 2000


# A number as the database returns it: converting it would cost as much as reading it.
UNCONVERTED: Field[Any, Any] = Field()


class EpochSeconds(Func):
    """A time as whole seconds since 1970. For millions of rows, numbers are cheaper than datetimes."""

    output_field = UNCONVERTED

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)", **more
        )

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint", **more
        )


class SecondsBetween(Func):
    """Seconds from the first time to the second."""

    output_field = UNCONVERTED

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self._as(compiler, connection, "((julianday({1}) - julianday({0})) * 86400.0)")

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self._as(compiler, connection, "EXTRACT(EPOCH FROM ({1} - {0}))::float8")

    def _as(self, compiler: Any, connection: Any, template: str) -> Any:
        compiled = [compiler.compile(each) for each in self.get_source_expressions()]
        # Plain columns have no parameters, whose order the template could change.
        return template.format(*(sql for sql, _ in compiled)), [p for _, found in compiled for p in found]


def read(after: int, until: int) -> Counter[Key]:
    """What the events with ids from `after`, exclusive, to `until`, inclusive, add to each count."""
    cells: Counter[Cell] = Counter()
    is_counted = (
        Q(kind=Kind.STARTED)
        | Q(to_status__in=TERMINAL)
        | Q(source__in=REPORTING_SOURCES)
        | Q(delivery__isnull=False)
    )
    events = Event.objects.filter(
        is_counted, id__gt=after, id__lte=until, execution__isnull=False, kind__in=COUNTED
    ).order_by("id")
    rows = events.values_list(
        "kind",
        "to_status",
        "source",
        "execution__tool",
        "execution__created_by",
        EpochSeconds(F("execution__created_at")),
        SecondsBetween(F("execution__created_at"), F("execution__accepted_at")),
        SecondsBetween(F("execution__created_at"), F("execution__running_at")),
        SecondsBetween(F("execution__created_at"), F("execution__ended_at")),
        KeyTextTransform("code", "execution__error"),
        KeyTextTransform("internal_error_code", "execution__error"),
        SecondsBetween(F("delivery__occurred_at"), F("delivery__received_at")),
    )
    days: dict[int, date] = {}
    for (
        kind,
        status,
        source,
        tool,
        person,
        created_at,
        accepted,
        running,
        ended,
        code,
        inner_code,
        delay,
    ) in rows.iterator(FETCH_SIZE):
        number = created_at // 86400
        day = days.get(number) or days.setdefault(number, datetime.fromtimestamp(created_at, UTC).date())
        person_id = NO_PERSON if person is None else person
        if kind == Kind.STARTED:
            cells[day, tool, person_id, Measure.STARTED, ""] += 1
            # 1 January 1970 was a Thursday.
            cells[day, tool, person_id, Measure.HOUR, f"{(created_at // 3600 + 72) % 168:03}"] += 1
            continue
        if kind == Kind.STATUS and status in TERMINAL:
            for measure, value in _finish(status, accepted, running, ended, code or inner_code):
                cells[day, tool, person_id, measure, value] += 1
        if source in REPORTING_SOURCES:
            cells[day, tool, person_id, Measure.REPORTED, source] += 1
        if delay is not None:
            cells[day, tool, person_id, Measure.DELAY, _bucket(delay)] += 1
    return roll_up(cells)


def _finish(
    status: str, accepted: float | None, running: float | None, ended: float | None, code: Any
) -> Iterator[tuple[str, str]]:
    """The counts of a finished job. The times are seconds since it was created in Rushes."""
    yield Measure.ENDED, status
    if status == FAILED:
        yield Measure.FAILED, str(code or "")[:64]
    # A quick job can finish before it is seen running; then it counts as running since it was accepted.
    began = accepted if running is None else running
    if began is not None and ended is not None and status != CANCELLED:
        yield Measure.WAITING, _bucket(began)
        yield Measure.RUNNING, _bucket(ended - began)


def _bucket(seconds: float) -> str:
    return f"{histogram.bucket(seconds):03}"


def roll_up(cells: Counter[Cell]) -> Counter[Key]:
    """Each count under all its keys: by day, week and month, by tool and in total, by person and in total."""
    counts: Counter[Key] = Counter()
    for (day, tool, person, measure, value), count in cells.items():
        for period, start in (
            (Period.DAY.value, day),
            (Period.WEEK.value, day - timedelta(days=day.weekday())),
            (Period.MONTH.value, day.replace(day=1)),
        ):
            for tool_or_any in (tool, ANY_TOOL):
                if period != Period.WEEK or tool_or_any == ANY_TOOL:
                    counts[period, start, tool_or_any, person, measure, value] += count
                counts[period, start, tool_or_any, ANY_PERSON, measure, value] += count
    return counts
