"""The content of the Insights page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from django.http import QueryDict
from django.utils import timezone

from dashboard.insights import breakdown_charts, time_charts
from dashboard.insights.breakdown_charts import measured_time
from dashboard.insights.data import InsightsData, median, p95
from dashboard.insights.period import InsightsQuery
from dashboard.insights.svg import Chart
from executions import tools
from executions.models.event import Source
from executions.models.rollup import Measure
from executions.stats import rollup, rollup_reader
from executions.statuses import SUCCEEDED
from executions.team import members

MAX_PEOPLE = 500  # in the filter


@dataclass(frozen=True)
class Figure:
    """One number at the top, and its change from the previous period. `good` is None if the change is neutral."""

    value: str
    label: str
    url: str = ""
    change: str = ""
    good: bool | None = None


class InsightsPage:
    def __init__(self, query: QueryDict) -> None:
        self.query = InsightsQuery(query, timezone.now().date(), rollup_reader.first_day())
        self.data = InsightsData(self.query)
        self.names = members.usernames(MAX_PEOPLE)
        state = rollup.state()
        self.counted_until = state.counted_until
        # Whether nothing was ever counted, regardless of the filters.
        self.is_empty = state.event_id == 0
        behind = rollup.backlog(state)
        # The approximate number of events not counted yet; 0 if these are only the latest few seconds.
        self.lag = behind if behind > rollup.STEP else 0

    @property
    def has_jobs(self) -> bool:
        return self.data.whole.started > 0

    # --- the filters --------------------------------------------------------------------------------------------

    @property
    def tool_options(self) -> list[tuple[str, str, bool]]:
        return [(tool.slug, tool.label, tool.slug in self.query.tools) for tool in tools.TOOLS.values()]

    @property
    def person_options(self) -> list[tuple[int, str, bool]]:
        return [(pk, name, pk in self.query.people) for pk, name in self.names.items()]

    # --- the figures --------------------------------------------------------------------------------------------

    @property
    def top(self) -> list[Figure]:
        data, query = self.data, self.query
        whole, before = data.whole, data.before
        updates = data.totals[Measure.REPORTED]
        webhook = 100 * updates[Source.WEBHOOK.value] / updates.total() if updates else None
        return [
            Figure(
                f"{whole.started:,}",
                "jobs",
                time_charts.jobs_url(query),
                _growth(whole.started, before.started),
            ),
            Figure(
                f"{whole.rate:.1f} %" if whole.rate is not None else "—",
                "succeeded",
                time_charts.jobs_url(query, end=SUCCEEDED),
                _points(whole.rate, before.rate),
                _better(whole.rate, before.rate),
            ),
            Figure(
                measured_time(median(data.running)),
                f"median run; p95 {measured_time(p95(data.running))}",
                "",
                _relative_change(median(data.running), median(data.times_before.running)),
            ),
            Figure(measured_time(median(data.delay)), "median webhook delay"),
            Figure(f"{webhook:.1f} %" if webhook is not None else "—", "of updates by webhook"),
        ]

    # --- the charts ---------------------------------------------------------------------------------------------

    @cached_property
    def ends(self) -> Chart:
        return time_charts.by_end(self.data)

    @cached_property
    def rate(self) -> Chart:
        return time_charts.rate(self.data)

    @cached_property
    def tools(self) -> list[time_charts.ToolRow]:
        return time_charts.by_tool(self.data)

    @cached_property
    def times(self) -> Chart:
        return breakdown_charts.times(self.data)

    @cached_property
    def failures(self) -> list[breakdown_charts.BarRow]:
        return breakdown_charts.failures(self.data)

    @cached_property
    def people(self) -> list[breakdown_charts.BarRow]:
        return breakdown_charts.people(self.data, self.names)

    @cached_property
    def week(self) -> Chart:
        return breakdown_charts.week(self.data)

    @cached_property
    def delay(self) -> Chart:
        return breakdown_charts.delay(self.data)

    @cached_property
    def updates(self) -> Chart:
        return breakdown_charts.updates(self.data)


def _growth(now: int, before: int) -> str:
    if not before:
        return ""
    change = 100 * (now - before) / before
    return f"{'+' if change >= 0 else '−'}{abs(change):,.0f} %"


def _points(now: float | None, before: float | None) -> str:
    if now is None or before is None:
        return ""
    change = round(now - before, 1)
    sign = "+" if change > 0 else "−" if change else "±"
    return f"{sign}{abs(change):.1f} points"


def _better(now: float | None, before: float | None) -> bool | None:
    """Whether the rate improved; None if it cannot be compared or rounds to the same value."""
    if now is None or before is None or not round(now - before, 1):
        return None
    return now > before


def _relative_change(now: float | None, before: float | None) -> str:
    if not now or not before:
        return ""
    change = 100 * (now - before) / before
    return f"{'+' if change >= 0 else '−'}{abs(change):.0f} %"
