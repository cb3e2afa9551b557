"""The charts over time: jobs by final status, the success rate, and jobs by tool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.cards.durations import took
from dashboard.http.history_links import history_url
from dashboard.insights import svg
from dashboard.insights.data import OPEN, Ends, InsightsData, combined, median, p95
from dashboard.insights.period import InsightsQuery, Span
from dashboard.insights.svg import PLOT, TOP, Chart, Mark, Table, Tick, percent, px
from executions import statuses, tools
from executions.statuses import FAILED, StatusBadge

OPEN_BADGE = StatusBadge("unfinished", "loader-circle", statuses.RUNNING)
# The statuses to filter the history by for "unfinished".
UNFINISHED = [statuses.QUEUED, statuses.PENDING, statuses.RUNNING, statuses.UNCONFIRMED]
GAP = 0.22  # of a column's width


def end_badge(end: str) -> StatusBadge:
    return OPEN_BADGE if end == OPEN else statuses.badge(end)


def jobs_url(query: InsightsQuery, span: Span | None = None, end: str = "", **more: Any) -> str:
    """The URL of the history with a mark's days and status, and the page's filters."""
    days = span or query.span
    status: Any = UNFINISHED if end == OPEN else end
    return history_url({**query.other_filters, "status": status, "from": days.first, "to": days.last, **more})


def column_label(span: Span, step: str) -> str:
    if step == "month":
        return f"{span.first:%B %Y}"
    if step == "week":
        return f"{span.first:%-d %b} to {span.last:%-d %b}"
    return f"{span.first:%a %-d %b}"


def short_label(span: Span, step: str) -> str:
    return f"{span.first:%b %y}" if step == "month" else f"{span.first:%-d %b}"


def count_text(count: int, what: str = "job") -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _labels(columns: Sequence[Span], step: str) -> list[Tick]:
    width = 100 / len(columns)
    places = svg.spaced_indexes(len(columns))
    return [
        Tick(
            percent(width * (number + 0.5)),
            short_label(columns[number], step),
            minor=(len(places) - place) % 2 == 0,
        )
        for place, number in enumerate(places)
    ]


def by_end(data: InsightsData) -> Chart:
    query, step = data.query, data.query.span.step
    top, values = svg.scale(max(ends.started for ends in data.by_column))
    width = 100 / len(data.columns)
    marks, rows = [], []
    for number, (span, ends) in enumerate(zip(data.columns, data.by_column, strict=True)):
        words, y = column_label(span, step), float(TOP + PLOT)
        for end, count in ends.by_end():
            if not count:
                continue
            tall = svg.height_of(count, top)
            y -= tall
            marks.append(
                Mark(
                    percent(width * (number + GAP / 2)),
                    px(y),
                    percent(width * (1 - GAP)),
                    px(max(tall - 1, 1)),
                    end_badge(end).hue,
                    f"{words}: {count:,} {end_badge(end).label}",
                    jobs_url(query, span, end),
                )
            )
        cells = [words, f"{ends.started:,}", *(f"{count:,}" for _, count in ends.by_end())]
        rows.append((jobs_url(query, span), cells))
    whole = data.whole
    return Chart(
        "ends",
        f"Jobs per {step}",
        f"{count_text(whole.started)} from {query.span}, stacked by status: "
        + ", ".join(f"{count:,} {end_badge(end).label}" for end, count in whole.by_end())
        + ".",
        marks,
        Table(
            "Jobs by start day and status",
            (
                step.capitalize(),
                "Started",
                *(end_badge(end).label.capitalize() for end, _ in whole.by_end()),
            ),
            rows[::-1],
        ),
        lines=[Tick(px(TOP + PLOT - svg.height_of(value, top)), f"{value:,.0f}") for value in values],
        labels=_labels(data.columns, step),
    )


def rate(data: InsightsData) -> Chart:
    """The success rate. The axis starts at 0, 50 or 90 %, so that changes are visible."""
    query, step = data.query, data.query.span.step
    known = [ends.rate for ends in data.by_column if ends.rate is not None]
    floor = 0.0 if not known or min(known) < 50 else 50.0 if min(known) < 90 else 90.0
    width, height = 100 / len(data.columns), 132
    plot = height - TOP - 26
    marks, rows = [], []
    for number, (span, ends) in enumerate(zip(data.columns, data.by_column, strict=True)):
        words = column_label(span, step)
        if ends.rate is None:
            continue
        tall = plot * (ends.rate - floor) / (100 - floor)
        marks.append(
            Mark(
                percent(width * (number + GAP / 2)),
                px(TOP + plot - tall - 3),
                percent(width * (1 - GAP)),
                "6",
                "accent",
                f"{words}: {ends.rate:.1f} % succeeded, {ends.ended[FAILED]:,} failed",
                jobs_url(query, span, FAILED),
            )
        )
        rows.append((jobs_url(query, span, FAILED), [words, f"{ends.rate:.1f} %", f"{ends.ended[FAILED]:,}"]))
    whole = data.whole
    values = [floor, (floor + 100) / 2, 100.0]
    return Chart(
        "rate",
        "Success rate",
        "Percentage of succeeded jobs among those that succeeded or failed"
        + (f": {whole.rate:.1f} % in all." if whole.rate is not None else "."),
        marks,
        Table(
            "Success rate by the day the jobs were started",
            (step.capitalize(), "Succeeded", "Failed"),
            rows[::-1],
        ),
        lines=[
            Tick(px(TOP + plot - plot * (value - floor) / (100 - floor)), f"{value:.0f} %")
            for value in values
        ],
        labels=_labels(data.columns, step),
        height=height,
    )


@dataclass(frozen=True)
class ToolRow:
    """One tool: its columns, with their own scale, and its figures."""

    tool: tools.Tool
    url: str
    failed_url: str
    whole: Ends
    marks: list[Mark]
    waiting: str
    running: str


def by_tool(data: InsightsData) -> list[ToolRow]:
    """The tools, busiest first."""
    query, step = data.query, data.query.span.step
    wholes = {slug: combined(columns) for slug, columns in data.by_tool.items()}
    width, tall = 100 / len(data.columns), 32
    found = []
    for slug in sorted(wholes, key=lambda slug: -wholes[slug].started):
        columns = data.by_tool[slug]
        most = max(1, *(ends.started for ends in columns))
        tool = tools.find(slug)
        marks = [
            Mark(
                percent(width * (number + GAP / 2)),
                px(tall - max(2.0, tall * ends.started / most)),
                percent(width * (1 - GAP)),
                px(max(2.0, tall * ends.started / most)),
                "accent",
                f"{tool.label}, {column_label(span, step)}: {count_text(ends.started)}",
                jobs_url(query, span, tool=slug),
            )
            for number, (span, ends) in enumerate(zip(data.columns, columns, strict=True))
            if ends.started
        ]
        times = data.times[slug]
        found.append(
            ToolRow(
                tool,
                jobs_url(query, tool=slug),
                jobs_url(query, end=FAILED, tool=slug),
                wholes[slug],
                marks,
                spread(times.waiting),
                spread(times.running),
            )
        )
    return found


def spread(counts: Any) -> str:
    """p50 / p95 as text."""
    return f"{took(median(counts))} / {took(p95(counts))}" if counts else "—"
