"""The figures for the charts, read from the rollups in a constant number of queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Min, Q, QuerySet, Sum

from dashboard.insights.period import InsightsQuery, Span
from executions.models import Rollup
from executions.models.rollup import ANY_PERSON, ANY_TOOL, NO_PERSON, Measure, Period
from executions.stats import histogram
from executions.statuses import CANCELLED, FAILED, SUCCEEDED

ENDS = (SUCCEEDED, FAILED, CANCELLED)
OPEN = "open"
PERIODS = {"month": Period.MONTH, "week": Period.WEEK, "day": Period.DAY}
STEPS = tuple(PERIODS)


@dataclass
class Ends:
    """How many jobs were started, and how many of them finished with each status."""

    started: int = 0
    ended: Counter[str] = field(default_factory=Counter)

    def add(self, measure: str, value: str, count: int) -> None:
        if measure == Measure.STARTED:
            self.started += count
        else:
            self.ended[value] += count

    @property
    def open(self) -> int:
        """Jobs that have not finished. For a moment the counts may include an end before its start, so never below 0."""
        return max(0, self.started - self.ended.total())

    @property
    def rate(self) -> float | None:
        """Percent that succeeded of those that succeeded or failed; cancelled jobs do not count as failures."""
        tried = self.ended[SUCCEEDED] + self.ended[FAILED]
        return 100 * self.ended[SUCCEEDED] / tried if tried else None

    def by_end(self) -> list[tuple[str, int]]:
        return [*((end, self.ended[end]) for end in ENDS), (OPEN, self.open)]


@dataclass
class Times:
    """Histograms of waiting and running times: bucket -> count."""

    waiting: Counter[int] = field(default_factory=Counter)
    running: Counter[int] = field(default_factory=Counter)


def first_day() -> date | None:
    """The first day with data; None if there is none."""
    found: date | None = Rollup.objects.filter(
        period=Period.MONTH, measure=Measure.STARTED, person=ANY_PERSON, tool=ANY_TOOL
    ).aggregate(first=Min("start"))["first"]
    return found


class Figures:
    def __init__(self, query: InsightsQuery) -> None:
        self.query = query
        self.columns = list(query.span.columns())
        self.by_column = [Ends() for _ in self.columns]
        self.by_tool: dict[str, list[Ends]] = {}
        self.times: dict[str, Times] = defaultdict(Times)
        self.people: dict[int, Ends] = defaultdict(Ends)
        self.totals: dict[str, Counter[str]] = defaultdict(Counter)
        self.before = Ends()
        self.times_before = Times()
        self._read_columns()
        self._read_times()
        self._read_totals()
        self._read_people()
        self._read_before()

    # --- reading ----------------------------------------------------------------------------------------------

    def _rows(
        self, span: Span, *measures: str, tools: bool = False, people: bool = False, columns: bool = False
    ) -> QuerySet[Rollup]:
        """The rows of these days, by tool or for all tools, and by person or for everyone. As few rows as possible, or
        with `columns` such that each row belongs to one column."""
        query = self.query
        steps = STEPS[STEPS.index(span.step) if columns else 0 :]
        if (query.tools or tools) and (query.people or people):
            # There are no weekly rows by both tool and person (executions/stats/event_reader.py).
            steps = tuple(step for step in steps if step != "week")
        rows = Rollup.objects.filter(_within(span, steps), measure__in=measures)
        if query.tools:
            rows = rows.filter(tool__in=query.tools)
        else:
            rows = rows.filter(tool__in=self._tools) if tools else rows.filter(tool=ANY_TOOL)
        if query.people:
            return rows.filter(person__in=query.people)
        return rows.filter(person__in=self._people) if people else rows.filter(person=ANY_PERSON)

    # Listed by name instead of excluding "any": the index then leads directly to the days of each.

    @cached_property
    def _tools(self) -> list[str]:
        months = Rollup.objects.filter(period=Period.MONTH, measure=Measure.STARTED, person=ANY_PERSON)
        return list(months.exclude(tool=ANY_TOOL).order_by().values_list("tool", flat=True).distinct())

    @cached_property
    def _people(self) -> list[int]:
        return [NO_PERSON, *get_user_model().objects.values_list("pk", flat=True)]

    def _read_columns(self) -> None:
        place = {day: number for number, span in enumerate(self.columns) for day in _starts(span)}
        rows = self._rows(self.query.span, Measure.STARTED, Measure.ENDED, tools=True, columns=True)
        for start, tool, measure, value, count in _summed(rows, "start", "tool", "measure", "value"):
            number = place.get(start)
            if number is None:
                continue
            self.by_column[number].add(measure, value, count)
            if tool not in self.by_tool:
                self.by_tool[tool] = [Ends() for _ in self.columns]
            self.by_tool[tool][number].add(measure, value, count)

    def _read_times(self) -> None:
        rows = self._rows(self.query.span, Measure.WAITING, Measure.RUNNING, tools=True)
        for tool, measure, value, count in _summed(rows, "tool", "measure", "value"):
            times = self.times[tool]
            (times.waiting if measure == Measure.WAITING else times.running)[int(value)] += count

    def _read_totals(self) -> None:
        rows = self._rows(self.query.span, Measure.HOUR, Measure.FAILED, Measure.DELAY, Measure.REPORTED)
        for measure, value, count in _summed(rows, "measure", "value"):
            self.totals[measure][value] += count

    def _read_people(self) -> None:
        rows = self._rows(self.query.span, Measure.STARTED, Measure.ENDED, people=True)
        for person, measure, value, count in _summed(rows, "person", "measure", "value"):
            self.people[person].add(measure, value, count)

    def _read_before(self) -> None:
        rows = self._rows(self.query.span.before, Measure.STARTED, Measure.ENDED, Measure.RUNNING)
        for measure, value, count in _summed(rows, "measure", "value"):
            if measure == Measure.RUNNING:
                self.times_before.running[int(value)] += count
            else:
                self.before.add(measure, value, count)

    # --- totals -------------------------------------------------------------------------------------------------

    @property
    def whole(self) -> Ends:
        return combined(self.by_column)

    @property
    def running(self) -> Counter[int]:
        return sum((times.running for times in self.times.values()), Counter[int]())

    @property
    def delay(self) -> Counter[int]:
        return Counter({int(value): count for value, count in self.totals[Measure.DELAY].items()})

    @property
    def people_by_jobs(self) -> list[tuple[int, Ends]]:
        return sorted(self.people.items(), key=lambda item: -item[1].started)


def combined(parts: Iterable[Ends]) -> Ends:
    whole = Ends()
    for part in parts:
        whole.started += part.started
        whole.ended += part.ended
    return whole


def median(counts: Counter[int]) -> float | None:
    return histogram.percentile(counts, 0.5)


def p95(counts: Counter[int]) -> float | None:
    """The 95th percentile in seconds."""
    return histogram.percentile(counts, 0.95)


def _within(span: Span, steps: Sequence[str]) -> Q:
    """A condition for the rows that together cover exactly these days, each once."""
    found = Q()
    for step, run in groupby(span.parts(*steps), key=itemgetter(0)):
        days = [day for _, day in run]
        found |= Q(period=PERIODS[step], start__range=(days[0], days[-1]))
    return found


def _starts(span: Span) -> Iterator[date]:
    """The days on which rows of this column may start."""
    return (date.fromordinal(day) for day in range(span.first.toordinal(), span.last.toordinal() + 1))


def _summed(rows: QuerySet[Rollup], *names: str) -> Iterator[tuple[Any, ...]]:
    yield from rows.order_by().values_list(*names).annotate(Sum("count"))
