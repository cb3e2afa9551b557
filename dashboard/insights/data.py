"""The figures for the charts, read from the rollups in a constant number of queries."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from dashboard.insights.period import InsightsQuery, Span
from executions.models.rollup import Measure, Period
from executions.stats import histogram
from executions.stats.rollup_reader import RollupReader
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


class InsightsData:
    def __init__(self, query: InsightsQuery) -> None:
        self.query = query
        self._reader = RollupReader(query.tools, query.people)
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

    def _sums(self, span: Span, *measures: str, by: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """The sums over these days for each combination of the columns `by`, from as few rows as possible, or by
        "start" such that each row belongs to one column of the charts."""
        steps = STEPS[STEPS.index(span.step) if "start" in by else 0 :]
        if not self._reader.has_weeks(by):
            steps = tuple(step for step in steps if step != "week")
        parts = ((PERIODS[step], day) for step, day in span.parts(*steps))
        return self._reader.sums(parts, measures, by)

    def _read_columns(self) -> None:
        place = {day: number for number, span in enumerate(self.columns) for day in _starts(span)}
        sums = self._sums(
            self.query.span, Measure.STARTED, Measure.ENDED, by=("start", "tool", "measure", "value")
        )
        for start, tool, measure, value, count in sums:
            number = place.get(start)
            if number is None:
                continue
            self.by_column[number].add(measure, value, count)
            if tool not in self.by_tool:
                self.by_tool[tool] = [Ends() for _ in self.columns]
            self.by_tool[tool][number].add(measure, value, count)

    def _read_times(self) -> None:
        sums = self._sums(self.query.span, Measure.WAITING, Measure.RUNNING, by=("tool", "measure", "value"))
        for tool, measure, value, count in sums:
            times = self.times[tool]
            (times.waiting if measure == Measure.WAITING else times.running)[int(value)] += count

    def _read_totals(self) -> None:
        measures = (Measure.HOUR, Measure.FAILED, Measure.DELAY, Measure.REPORTED)
        for measure, value, count in self._sums(self.query.span, *measures, by=("measure", "value")):
            self.totals[measure][value] += count

    def _read_people(self) -> None:
        sums = self._sums(self.query.span, Measure.STARTED, Measure.ENDED, by=("person", "measure", "value"))
        for person, measure, value, count in sums:
            self.people[person].add(measure, value, count)

    def _read_before(self) -> None:
        measures = (Measure.STARTED, Measure.ENDED, Measure.RUNNING)
        for measure, value, count in self._sums(self.query.span.before, *measures, by=("measure", "value")):
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


def _starts(span: Span) -> Iterator[date]:
    """The days on which rows of this column may start."""
    return (date.fromordinal(day) for day in range(span.first.toordinal(), span.last.toordinal() + 1))
