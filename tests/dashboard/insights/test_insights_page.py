"""The Insights page: its figures are correct, every mark links to its jobs, and it reads only the counts."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.insights import svg
from dashboard.insights.breakdown_charts import _latest_day
from dashboard.insights.data import InsightsData
from dashboard.insights.period import LAST_DAY_OF, InsightsQuery, Span
from executions.models import Execution, Rollup
from executions.stats import event_reader, rollup
from tests.dashboard.browsers import Browser
from tests.factories.jobs import job
from tests.markup import attribute, every, plain_text

pytestmark = pytest.mark.django_db
TODAY = date(2026, 11, 24)


@pytest.fixture(autouse=True)
def _count_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollup, "COMMIT_GRACE", timedelta(0))


def query_of(query: str, first: date | None = None) -> InsightsQuery:
    return InsightsQuery(QueryDict(query), TODAY, first)


def marks(page: str, chart: str) -> dict[str, dict[str, list[str]]]:
    """The marks of a chart by their label, with the filters of their links."""
    found = every(page, f'[aria-labelledby="chart-{chart}"] a[href][aria-label]')
    return {
        attribute(mark, "aria-label"): parse_qs(urlsplit(attribute(mark, "href")).query) for mark in found
    }


def test_each_mark_links_to_the_jobs_that_it_counts(ada_browser: Browser, ann_browser: Browser) -> None:
    for status in ("succeeded", "succeeded", "failed"):
        job(
            ann_browser.user,
            status,
            error={"message": "No.", "code": "moderated"} if status == "failed" else None,
        )
    job(ann_browser.user, "running", tool="text-to-speech")
    rollup.advance()
    page = ada_browser.get("/insights/").content.decode()
    today = timezone.now().date()
    words = f"{today:%a %-d %b}"
    span = {"from": [f"{today}"], "to": [f"{today}"]}
    ends = marks(page, "ends")
    assert ends == {
        f"{words}: 2 succeeded": {"status": ["succeeded"], **span},
        f"{words}: 1 failed": {"status": ["failed"], **span},
        f"{words}: 1 unfinished": {"status": ["queued", "pending", "running", "unconfirmed"], **span},
    }
    assert marks(page, "tools")[f"Image, {words}: 3 jobs"] == {"tool": ["generate-image"], **span}
    [failure] = marks(page, "failures").values()
    assert failure["error"] == ["moderated"]
    [person] = [filters for words, filters in marks(page, "people").items() if "2 succeeded" in words]
    assert person["person"] == [str(ann_browser.user.pk)]
    assert person["status"] == ["succeeded"]
    assert "66.7 %" in page
    [hour] = marks(page, "week").values()
    assert hour == span


def test_failures_without_a_code_link_to_those_jobs_only(ada_browser: Browser, ann_browser: Browser) -> None:
    job(ann_browser.user, "failed", "no code", error={"message": "No."})
    job(ann_browser.user, "failed", "a code", error={"message": "No.", "code": "moderated"})
    rollup.advance()
    found = marks(ada_browser.get("/insights/").content.decode(), "failures")
    assert found["1 failed: no code"]["error"] == ["none"]
    assert found["1 failed: moderated"]["error"] == ["moderated"]


def test_filters_apply_to_all_figures_and_links(
    ada_browser: Browser, ann_browser: Browser, ben_browser: Browser
) -> None:
    job(ann_browser.user, "succeeded")
    job(ben_browser.user, "failed")
    job(ben_browser.user, "succeeded", tool="text-to-speech")
    rollup.advance()
    page = ada_browser.get(
        f"/insights/?person={ben_browser.user.pk}&tool=text-to-speech&range=7"
    ).content.decode()
    [(words, filters)] = marks(page, "ends").items()
    assert words.endswith("1 succeeded")
    assert filters["person"] == [str(ben_browser.user.pk)]
    assert filters["tool"] == ["text-to-speech"]
    assert "100.0 %" in page


def test_queries_do_not_grow_with_the_period(
    ada_browser: Browser, ann_browser: Browser, ben_browser: Browser
) -> None:
    def queries(url: str) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            assert ada_browser.get(url).status_code == 200
        return [query["sql"] for query in captured.captured_queries]

    job(ann_browser.user, "succeeded")
    rollup.advance()
    ada_browser.get("/insights/")
    few = queries("/insights/")
    for number in range(8):
        made = job(ben_browser.user, "failed", tool="text-to-speech")
        Execution.objects.filter(pk=made.pk).update(created_at=timezone.now() - timedelta(days=40 * number))
    rollup.advance()
    many = queries("/insights/?range=all")
    assert len(few) == len(many)
    assert len(many) <= 15, "\n".join(many)
    counted = [sql for sql in many if "executions_execution" in sql and "COUNT" not in sql]
    assert counted == [], "only the counts are query_of"


@pytest.mark.parametrize(
    "query",
    ["range=nothing", "since=32+Jan", "until=2026-99-99&since=x", "tool=%00", "tool=no-such", "person=99999999999999", "person=-1", "person=%F0%9F%98%80", "since=0001-01-01", "since=9999-12-31", "until=9999-12-31", "since=2026-11-24&until=2026-11-01"],
)  # fmt: skip
def test_invalid_parameters_are_ignored_and_listed(query: str, ada_browser: Browser) -> None:
    job(None, "succeeded")
    rollup.advance()
    answer = ada_browser.get(f"/insights/?{query}")
    assert answer.status_code == 200
    if "32" in query:
        assert "is not a valid day" in answer.content.decode()


def test_an_empty_page_says_why(ada_browser: Browser) -> None:
    assert "No data yet" in ada_browser.get("/insights/").content.decode()
    job(None, "succeeded")
    rollup.advance()
    assert (
        "None were started in this period" in ada_browser.get("/insights/?until=2021-03-31").content.decode()
    )


def counted_at(page: str) -> list[str]:
    """Where the page says up to when everything is counted."""
    return [words for words in map(plain_text, every(page, "span")) if words.startswith("counted ")]


def test_lagging_counts_are_reported(
    ada_browser: Browser, ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    job(ann_browser.user, "succeeded")
    rollup.advance()
    job(ann_browser.user, "succeeded")
    monkeypatch.setattr(rollup, "STEP", 1)
    page = ada_browser.get("/insights/").content.decode()
    left = rollup.backlog(rollup.state())
    assert f"About {left} recent events are not included yet" in page
    assert counted_at(page) == []
    rollup.clear()
    page = ada_browser.get("/insights/").content.decode()
    assert "Still counting." in page
    assert "These days are not counted yet." in page
    assert "None were started in this period" not in page
    assert "No data yet." not in page
    while rollup.advance(size=100):
        pass
    page = ada_browser.get("/insights/").content.decode()
    assert "Still counting." not in page
    assert "<span>counted " in page


def test_months_weeks_and_days_cover_each_day_once() -> None:
    for query in (
        "range=365",
        "since=2025-01-15&until=2026-11-02",
        "since=2026-01-01&until=2026-12-31",
        "range=7",
        "range=90",
    ):
        span = query_of(query).span
        for steps in (("month", "week", "day"), ("week", "day"), ("day",)):
            days = sorted(
                day
                for step, first in span.parts(*steps)
                for day in range(first.toordinal(), LAST_DAY_OF[step](first).toordinal() + 1)
            )
            assert days == list(range(span.first.toordinal(), span.last.toordinal() + 1)), (query, steps)
        columns = list(span.columns())
        assert sum(column.days for column in columns) == span.days
    assert len(list(query_of("range=365").span.columns())) <= 13


def test_ninety_days_are_drawn_by_weeks_from_monday() -> None:
    columns = list(query_of("range=90").span.columns())
    assert len(columns) == 14
    assert {column.first.weekday() for column in columns[1:]} == {0}
    assert {column.days for column in columns[1:-1]} == {7}
    assert columns[-1] == Span(date(2026, 11, 23), TODAY)
    assert sum(column.days for column in columns) == 90


def test_a_long_range_counts_the_same_as_its_days() -> None:
    """Whole months and weeks, and days at the ends: each day exactly once."""
    for day in range(400):
        start = TODAY - timedelta(days=day)
        monday = start - timedelta(days=start.weekday())
        for period, first in (("d", start), ("w", monday), ("m", start.replace(day=1))):
            row, made = Rollup.objects.get_or_create(
                period=period,
                start=first,
                tool="",
                person=0,
                measure="heard",
                value="poll",
                defaults={"count": 1},
            )
            if not made:
                Rollup.objects.filter(pk=row.pk).update(count=row.count + 1)
    for query, days in (
        ("range=365", 365),
        ("range=90", 90),
        ("range=30", 30),
        ("since=2026-02-10&until=2026-08-20", 192),
    ):
        assert InsightsData(query_of(query)).totals["heard"]["poll"] == days, query


def test_every_figure_counts_all_matching_jobs(
    ann_browser: Browser, ben_browser: Browser, subtests: pytest.Subtests
) -> None:
    """One job a day, alternating between two people and two tools, from whichever counts they are read."""
    cells: Counter[event_reader.Cell] = Counter()
    for back in range(500):
        who, which = (
            (ann_browser, ben_browser)[back % 2].user.pk,
            ("generate-image", "text-to-speech")[back // 2 % 2],
        )
        for measure, value in (("started", ""), ("ended", "succeeded"), ("running", "010"), ("hour", "001")):
            cells[TODAY - timedelta(days=back), which, who, measure, value] += 1
    Rollup.objects.bulk_create(
        Rollup(period=period, start=start, tool=name, person=who, measure=measure, value=value, count=count)
        for (period, start, name, who, measure, value), count in event_reader.roll_up(cells).items()
    )
    for days, tool, person in itertools.product(
        ("range=30", "range=90", "since=2025-08-01&until=2026-11-02"),
        ("", "&tool=generate-image"),
        ("", f"&person={ann_browser.user.pk}"),
    ):
        with subtests.test(days=days, tool=tool, person=person):
            chosen = query_of(days + tool + person, TODAY - timedelta(days=499))
            counted = {
                day: (who, which)
                for day, which, who, measure, _ in cells
                if measure == "started"
                and chosen.span.first <= day <= chosen.span.last
                and (not tool or which == "generate-image")
                and (not person or who == ann_browser.user.pk)
            }
            data = InsightsData(chosen)
            by_tool = {name: sum(each.started for each in columns) for name, columns in data.by_tool.items()}
            assert data.whole.started == data.whole.ended["succeeded"] == len(counted)
            assert by_tool == Counter(which for _, which in counted.values())
            assert {who: each.started for who, each in data.people.items()} == Counter(
                who for who, _ in counted.values()
            )
            assert data.running.total() == data.totals["hour"].total() == len(counted)


def test_the_previous_period_has_the_same_length() -> None:
    assert query_of("range=7").span.before == Span(date(2026, 11, 11), date(2026, 11, 17))


@pytest.mark.parametrize("maximum", [0, 1, 2, 3, 7, 10, 11, 99, 101, 12_345])
def test_an_axis_is_round_and_reaches_the_maximum(maximum: int) -> None:
    top, values = svg.scale(maximum)
    assert top >= max(maximum, 1)
    assert values[0] == 0
    assert values[-1] == top
    assert len(values) <= 6
    assert all(value == int(value) for value in values)


def test_the_latest_day_of_the_week_is_within_the_period() -> None:
    data: Any = SimpleNamespace(query=query_of("range=7"))
    for weekday, day in ((6, "2026-11-22"), (1, "2026-11-24"), (2, "2026-11-18")):
        url = parse_qs(urlsplit(_latest_day(data, weekday)).query)
        assert url == {"from": [day], "to": [day]}
