"""What the counts say: read in a number of queries that grows with nothing, and put in order for drawing."""

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

from dashboard.insights.period import Asked, Span
from executions.models import Rollup
from executions.models.rollup import ANY_TOOL, ANYBODY, NOBODY, Measure, Period
from executions.stats import histogram
from executions.statuses import CANCELLED, FAILED, SUCCEEDED

ENDS = (SUCCEEDED, FAILED, CANCELLED)
OPEN = "open"
PERIODS = {"month": Period.MONTH, "week": Period.WEEK, "day": Period.DAY}
STEPS = tuple(PERIODS)


@dataclass
class Ends:
    """How many jobs were started, and how many of these have ended how."""

    started: int = 0
    ended: Counter[str] = field(default_factory=Counter)

    def add(self, measure: str, value: str, count: int) -> None:
        if measure == Measure.STARTED:
            self.started += count
        else:
            self.ended[value] += count

    @property
    def open(self) -> int:
        """Still waiting or running; the counts may know an end before its start for a moment."""
        return max(0, self.started - self.ended.total())

    @property
    def rate(self) -> float | None:
        """Percent that succeeded, of what succeeded or failed: to cancel is nobody's failure."""
        tried = self.ended[SUCCEEDED] + self.ended[FAILED]
        return 100 * self.ended[SUCCEEDED] / tried if tried else None

    def by_end(self) -> list[tuple[str, int]]:
        return [*((end, self.ended[end]) for end in ENDS), (OPEN, self.open)]


@dataclass
class Times:
    """How long it took, as counts of buckets."""

    waiting: Counter[int] = field(default_factory=Counter)
    running: Counter[int] = field(default_factory=Counter)


def first_day() -> date | None:
    """The first day of which anything is known."""
    found: date | None = Rollup.objects.filter(
        period=Period.MONTH, measure=Measure.STARTED, person=ANYBODY, tool=ANY_TOOL
    ).aggregate(first=Min("start"))["first"]
    return found


class Figures:
    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.columns = list(asked.span.columns())
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
        """The rows of these days that are asked for: by tool or of all tools, by person or of everybody; in the fewest
        rows, or such that each is of one column."""
        asked = self.asked
        steps = STEPS[STEPS.index(span.step) if columns else 0 :]
        if (asked.tools or tools) and (asked.people or people):
            # Weeks of one tool and one person together are not kept (rolling/facts.py).
            steps = tuple(step for step in steps if step != "week")
        rows = Rollup.objects.filter(_within(span, steps), measure__in=measures)
        if asked.tools:
            rows = rows.filter(tool__in=asked.tools)
        else:
            rows = rows.filter(tool__in=self._every_tool) if tools else rows.filter(tool=ANY_TOOL)
        if asked.people:
            return rows.filter(person__in=asked.people)
        return rows.filter(person__in=self._every_person) if people else rows.filter(person=ANYBODY)

    # Each named, and not "any other": the index leads to the days of each, and past all other days.

    @cached_property
    def _every_tool(self) -> list[str]:
        months = Rollup.objects.filter(period=Period.MONTH, measure=Measure.STARTED, person=ANYBODY)
        return list(months.exclude(tool=ANY_TOOL).order_by().values_list("tool", flat=True).distinct())

    @cached_property
    def _every_person(self) -> list[int]:
        return [NOBODY, *get_user_model().objects.values_list("pk", flat=True)]

    def _read_columns(self) -> None:
        place = {day: number for number, span in enumerate(self.columns) for day in _starts(span)}
        rows = self._rows(self.asked.span, Measure.STARTED, Measure.ENDED, tools=True, columns=True)
        for start, tool, measure, value, count in _summed(rows, "start", "tool", "measure", "value"):
            number = place.get(start)
            if number is None:
                continue
            self.by_column[number].add(measure, value, count)
            if tool not in self.by_tool:
                self.by_tool[tool] = [Ends() for _ in self.columns]
            self.by_tool[tool][number].add(measure, value, count)

    def _read_times(self) -> None:
        rows = self._rows(self.asked.span, Measure.WAITING, Measure.RUNNING, tools=True)
        for tool, measure, value, count in _summed(rows, "tool", "measure", "value"):
            times = self.times[tool]
            (times.waiting if measure == Measure.WAITING else times.running)[int(value)] += count

    def _read_totals(self) -> None:
        rows = self._rows(self.asked.span, Measure.HOUR, Measure.FAILED, Measure.DELAY, Measure.HEARD)
        for measure, value, count in _summed(rows, "measure", "value"):
            self.totals[measure][value] += count

    def _read_people(self) -> None:
        rows = self._rows(self.asked.span, Measure.STARTED, Measure.ENDED, people=True)
        for person, measure, value, count in _summed(rows, "person", "measure", "value"):
            self.people[person].add(measure, value, count)

    def _read_before(self) -> None:
        rows = self._rows(self.asked.span.before, Measure.STARTED, Measure.ENDED, Measure.RUNNING)
        for measure, value, count in _summed(rows, "measure", "value"):
            if measure == Measure.RUNNING:
                self.times_before.running[int(value)] += count
            else:
                self.before.add(measure, value, count)

    # --- what it comes to ---------------------------------------------------------------------------------------

    @property
    def whole(self) -> Ends:
        return together(self.by_column)

    @property
    def running(self) -> Counter[int]:
        return sum((times.running for times in self.times.values()), Counter[int]())

    @property
    def delay(self) -> Counter[int]:
        return Counter({int(value): count for value, count in self.totals[Measure.DELAY].items()})

    @property
    def busiest(self) -> list[tuple[int, Ends]]:
        return sorted(self.people.items(), key=lambda item: -item[1].started)


def together(parts: Iterable[Ends]) -> Ends:
    whole = Ends()
    for part in parts:
        whole.started += part.started
        whole.ended += part.ended
    return whole


def middle(counts: Counter[int]) -> float | None:
    return histogram.percentile(counts, 0.5)


def slow(counts: Counter[int]) -> float | None:
    """What 95 of 100 stay within, in seconds."""
    return histogram.percentile(counts, 0.95)


def _within(span: Span, steps: Sequence[str]) -> Q:
    """The rows that together are just these days, once each."""
    found = Q()
    for step, run in groupby(span.parts(*steps), key=itemgetter(0)):
        days = [day for _, day in run]
        found |= Q(period=PERIODS[step], start__range=(days[0], days[-1]))
    return found


def _starts(span: Span) -> Iterator[date]:
    """The days at which rows of this column may start."""
    return (date.fromordinal(day) for day in range(span.first.toordinal(), span.last.toordinal() + 1))


def _summed(rows: QuerySet[Rollup], *names: str) -> Iterator[tuple[Any, ...]]:
    yield from rows.order_by().values_list(*names).annotate(Sum("count"))
