"""Reads what a stretch of events adds to the counts. It writes nothing."""

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
TELLERS = (Source.WEBHOOK, Source.POLL)
AT_ONCE = 2000


# A number just as the database gives it: to convert each costs as much as to read it.
AS_IT_IS: Field[Any, Any] = Field()


class Stamp(Func):
    """A time as whole seconds since 1970: numbers cost less than times, where there are millions."""

    output_field = AS_IT_IS

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="CAST(strftime('%%%%s', %(expressions)s) AS INTEGER)", **more
        )

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self.as_sql(
            compiler, connection, template="FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint", **more
        )


class Between(Func):
    """Seconds from the first time to the second."""

    output_field = AS_IT_IS

    def as_sqlite(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self._as(compiler, connection, "((julianday({1}) - julianday({0})) * 86400.0)")

    def as_postgresql(self, compiler: Any, connection: Any, **more: Any) -> Any:
        return self._as(compiler, connection, "EXTRACT(EPOCH FROM ({1} - {0}))::float8")

    def _as(self, compiler: Any, connection: Any, template: str) -> Any:
        compiled = [compiler.compile(each) for each in self.get_source_expressions()]
        # Plain columns: there are no parameters whose order could matter.
        return template.format(*(sql for sql, _ in compiled)), [p for _, found in compiled for p in found]


def read(after: int, until: int) -> Counter[Key]:
    """What the events with ids above `after`, up to `until`, add to each count."""
    cells: Counter[Cell] = Counter()
    tells = (
        Q(kind=Kind.STARTED) | Q(to_status__in=TERMINAL) | Q(source__in=TELLERS) | Q(delivery__isnull=False)
    )
    events = Event.objects.filter(
        tells, id__gt=after, id__lte=until, execution__isnull=False, kind__in=COUNTED
    ).order_by("id")
    rows = events.values_list(
        "kind",
        "to_status",
        "source",
        "execution__tool",
        "execution__created_by",
        Stamp(F("execution__created_at")),
        Between(F("execution__created_at"), F("execution__accepted_at")),
        Between(F("execution__created_at"), F("execution__running_at")),
        Between(F("execution__created_at"), F("execution__ended_at")),
        KeyTextTransform("code", "execution__error"),
        KeyTextTransform("internal_error_code", "execution__error"),
        Between(F("delivery__occurred_at"), F("delivery__received_at")),
    )
    days: dict[int, date] = {}
    for (
        kind,
        status,
        source,
        tool,
        person,
        stamp,
        accepted,
        ran,
        ended,
        code,
        inner_code,
        delay,
    ) in rows.iterator(AT_ONCE):
        number = stamp // 86400
        day = days.get(number) or days.setdefault(number, datetime.fromtimestamp(stamp, UTC).date())
        who = NO_PERSON if person is None else person
        if kind == Kind.STARTED:
            cells[day, tool, who, Measure.STARTED, ""] += 1
            # 1 January 1970 was a Thursday.
            cells[day, tool, who, Measure.HOUR, f"{(stamp // 3600 + 72) % 168:03}"] += 1
            continue
        if kind == Kind.STATUS and status in TERMINAL:
            for measure, value in _end(status, accepted, ran, ended, code or inner_code):
                cells[day, tool, who, measure, value] += 1
        if source in TELLERS:
            cells[day, tool, who, Measure.REPORTED, source] += 1
        if delay is not None:
            cells[day, tool, who, Measure.DELAY, _bucket(delay)] += 1
    return spread(cells)


def _end(
    status: str, accepted: float | None, ran: float | None, ended: float | None, code: Any
) -> Iterator[tuple[str, str]]:
    """What the end of a job adds. The times are seconds since it was started here."""
    yield Measure.ENDED, status
    if status == FAILED:
        yield Measure.FAILED, str(code or "")[:64]
    # A quick job has ended before anybody saw it run: from then on that it was accepted it may have.
    began = accepted if ran is None else ran
    if began is not None and ended is not None and status != CANCELLED:
        yield Measure.WAITING, _bucket(began)
        yield Measure.RUNNING, _bucket(ended - began)


def _bucket(seconds: float) -> str:
    return f"{histogram.bucket(seconds):03}"


def spread(cells: Counter[Cell]) -> Counter[Key]:
    """Each count in every place where it is looked up: by day, week and month, by tool and all, by person and all."""
    counts: Counter[Key] = Counter()
    for (day, tool, person, measure, value), count in cells.items():
        for period, start in (
            (Period.DAY.value, day),
            (Period.WEEK.value, day - timedelta(days=day.weekday())),
            (Period.MONTH.value, day.replace(day=1)),
        ):
            for which in (tool, ANY_TOOL):
                if period != Period.WEEK or which == ANY_TOOL:
                    counts[period, start, which, person, measure, value] += count
                counts[period, start, which, ANY_PERSON, measure, value] += count
    return counts
