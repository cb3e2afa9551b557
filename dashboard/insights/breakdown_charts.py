"""The charts that are not over time: durations, failures, people, the week, and how updates arrive."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse

from dashboard.cards.durations import took
from dashboard.cards.error_advice import advice
from dashboard.insights import svg
from dashboard.insights.data import InsightsData, median, p95
from dashboard.insights.period import Span
from dashboard.insights.svg import Chart, Mark, Table, Tick, percent, px
from dashboard.insights.time_charts import count_text, end_badge, jobs_url
from executions import tools
from executions.models.event import Source
from executions.models.rollup import NO_PERSON, Measure
from executions.search.jobs import NO_CODE
from executions.stats import histogram
from executions.statuses import PENDING, RUNNING

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Round times that an axis may show, in seconds.
AXIS_TIMES = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 86_400, 864_000)
MAX_BARS = 10


def axis_time(seconds: float) -> str:
    """A round time for an axis."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 86_400 else f"{seconds / 86_400:.0f} d"


def measured_time(seconds: float | None) -> str:
    """A measured time; below a second in milliseconds."""
    return f"{seconds * 1000:.0f} ms" if seconds is not None and seconds < 0.95 else str(took(seconds))


def times(data: InsightsData) -> Chart:
    """Waiting and running times by tool, as bars from p50 to p95 on a logarithmic scale."""
    row, lanes = 46, []
    for slug, found in data.times.items():
        if found.running:
            lanes.append((slug, found))
    lanes.sort(key=lambda lane: -(median(lane[1].running) or 0))
    ends = [p95(counts) or 0 for _, found in lanes for counts in (found.waiting, found.running)]
    starts = [median(counts) or 1 for _, found in lanes for counts in (found.waiting, found.running)]
    low = max((each for each in AXIS_TIMES if each <= min(starts, default=1)), default=AXIS_TIMES[0])
    high = min((each for each in AXIS_TIMES if each >= max(ends, default=1)), default=AXIS_TIMES[-1])

    def across(seconds: float) -> float:
        return 100 * math.log(max(seconds, low) / low) / math.log(high / low) if high > low else 0.0

    marks, rows, names = [], [], []
    for number, (slug, found) in enumerate(lanes):
        tool = tools.find(slug)
        url = jobs_url(data.query, tool=slug)
        names.append(Tick(px(number * row + 13), tool.label))
        cells = [tool.label]
        for lane, (counts, what, hue) in enumerate(
            ((found.waiting, "waited", PENDING), (found.running, "ran", RUNNING))
        ):
            p50, most = median(counts), p95(counts)
            cells += [measured_time(p50), measured_time(most)]
            if p50 is None or most is None:
                continue
            marks.append(
                Mark(
                    percent(across(p50)),
                    px(number * row + 20 + lane * 11),
                    percent(max(across(most) - across(p50), 0.6)),
                    "8",
                    hue,
                    f"{tool.label} {what}: median {measured_time(p50)}, p95 {measured_time(most)}",
                    url,
                )
            )
        rows.append((url, cells))
    return Chart(
        "times",
        "Waiting and running",
        "Bars from p50 to p95 for each tool: waiting above, running below.",
        marks,
        Table(
            "How long jobs waited and ran, by tool",
            ("Tool", "Waited, p50", "Waited, p95", "Ran, p50", "Ran, p95"),
            rows,
        ),
        labels=[
            Tick(percent(across(each)), axis_time(each), {low: "start", high: "end"}.get(each, "middle"))
            for each in AXIS_TIMES
            if low <= each <= high
        ],
        rows=names,
        height=len(lanes) * row + 24,
    )


@dataclass(frozen=True)
class BarRow:
    """One horizontal bar with its texts; `parts` are its segments."""

    label: str
    detail: str
    count: str
    url: str
    parts: list[Mark]


def failures(data: InsightsData) -> list[BarRow]:
    counts = data.totals[Measure.FAILED].most_common(MAX_BARS)
    most = max((count for _, count in counts), default=1)
    return [
        BarRow(
            code or "no code",
            advice({"code": code}),
            f"{count:,}",
            jobs_url(data.query, end="failed", error=code or NO_CODE),
            [
                Mark(
                    "0",
                    "0",
                    percent(100 * count / most),
                    "10",
                    "failed",
                    f"{count:,} failed: {code or 'no code'}",
                    jobs_url(data.query, end="failed", error=code or NO_CODE),
                )
            ],
        )
        for code, count in counts
    ]


def people(data: InsightsData, names: Mapping[int, str]) -> list[BarRow]:
    found = data.people_by_jobs[:MAX_BARS]
    most = max((ends.started for _, ends in found), default=1) or 1
    rows = []
    for person, ends in found:
        is_external = person == NO_PERSON
        name = "external" if is_external else names.get(person, f"person {person}")
        more: dict[str, Any] = (
            {"person": "", "origin": "elsewhere"} if is_external else {"person": str(person)}
        )
        parts, x = [], 0.0
        for end, count in ends.by_end():
            width = 100 * count / most
            if count:
                words = f"{name}: {count:,} {end_badge(end).label}"
                url = jobs_url(data.query, end=end, **more)
                parts.append(Mark(percent(x), "0", percent(width), "10", end_badge(end).hue, words, url))
            x += width
        rate = f"{ends.rate:.0f} % succeeded" if ends.rate is not None else ""
        rows.append(BarRow(name, rate, f"{ends.started:,}", jobs_url(data.query, **more), parts))
    return rows


def week(data: InsightsData) -> Chart:
    """A heat map of the hours of the week. A cell links to the latest such day."""
    counts = {int(value): count for value, count in data.totals[Measure.HOUR].items()}
    most = max(counts.values(), default=1)
    width, tall = 100 / 24, 26
    marks, rows = [], []
    for day, name in enumerate(DAYS):
        for hour in range(24):
            count = counts.get(day * 24 + hour, 0)
            if not count:
                marks.append(
                    Mark(percent(width * hour), px(day * tall), percent(width), px(tall), "", "", "")
                )
                continue
            words = f"{name}s {hour:02}:00 to {hour:02}:59: {count_text(count)}. Shows the latest {name}."
            url = _latest_day(data, day)
            marks.append(
                Mark(percent(width * hour), px(day * tall), percent(width), px(tall), "accent", words, url, svg.level(count, most))
            )  # fmt: skip
        cells = [counts.get(day * 24 + hour, 0) for hour in range(24)]
        rows.append(("", [name, *(f"{each:,}" for each in cells)]))
    busiest = max(counts, key=lambda each: counts[each], default=None)
    about = (
        f"The busiest hour is {DAYS[busiest // 24]} {busiest % 24:02}:00 with {count_text(counts[busiest])}."
        if busiest is not None
        else "No jobs were started."
    )
    return Chart(
        "week",
        "Hours of the week",
        about,
        marks,
        Table(
            "Jobs started, by hour of the week (UTC)", ("Day", *(f"{hour:02}" for hour in range(24))), rows
        ),
        labels=[Tick(percent(width * (hour + 0.5)), f"{hour:02}") for hour in range(0, 24, 3)],
        rows=[Tick(px(day * tall + 17), name[:3]) for day, name in enumerate(DAYS)],
        height=7 * tall + 24,
    )


def _latest_day(data: InsightsData, weekday: int) -> str:
    last = data.query.span.last
    day = last - timedelta(days=(last.weekday() - weekday) % 7)
    return jobs_url(data.query, Span(day, day))


def delay(data: InsightsData) -> Chart:
    """A histogram of webhook delays; each bar covers two buckets."""
    counts: dict[int, int] = {}
    for number, count in data.delay.items():
        counts[number // 2] = counts.get(number // 2, 0) + count
    first, last = min(counts, default=0), max(counts, default=1)
    columns = list(range(first, last + 1))
    most = max(counts.values(), default=1)
    width, height = 100 / len(columns), 132
    plot = height - 12 - 26
    marks, rows = [], []
    for place, number in enumerate(columns):
        low, high = histogram.lower_bound(number * 2), histogram.lower_bound(number * 2 + 2)
        count, words = counts.get(number, 0), f"{measured_time(low)} to {measured_time(high)}"
        if not count:
            continue
        tall = max(plot * count / most, 1.5)
        marks.append(
            Mark(
                percent(width * place + width * 0.04),
                px(12 + plot - tall),
                percent(width * 0.92),
                px(tall),
                "accent",
                f"{words}: {count:,} webhooks. Shows the deliveries.",
                reverse("deliveries"),
            )
        )
        rows.append((reverse("deliveries"), [words, f"{count:,}"]))
    p50, late = median(data.delay), p95(data.delay)
    places = [columns[number] for number in svg.spaced_indexes(len(columns), 5)]
    return Chart(
        "delay",
        "Webhook delay",
        f"Time from an event at VideoGen to its webhook: median {measured_time(p50)}, p95 {measured_time(late)}."
        if p50 is not None
        else "No webhook delays in this period.",
        marks,
        Table("Webhooks by delay", ("Delay", "Webhooks"), rows),
        labels=[
            Tick(percent(width * (number - first + 0.5)), measured_time(histogram.lower_bound(number * 2)))
            for number in places  # at most five, so that they fit
        ],
        height=height,
    )


def updates(data: InsightsData) -> Chart:
    """How status updates arrived: by webhook or by polling."""
    counts = data.totals[Measure.REPORTED]
    total = counts.total() or 1
    marks, rows, x = [], [], 0.0
    for source, hue, words, url in (
        (Source.WEBHOOK.value, "accent", "by webhook", reverse("deliveries")),
        (Source.POLL.value, "soft", "by polling", jobs_url(data.query)),
    ):
        count = counts[source]
        width = 100 * count / total
        label = f"{count:,} updates ({width:.1f} %) {words}"
        if count:
            marks.append(Mark(percent(x), "0", percent(width), "28", hue, label, url))
        rows.append((url, [words.capitalize(), f"{count:,}", f"{width:.1f} %" if counts.total() else "—"]))
        x += width
    return Chart(
        "updates",
        "How updates arrived",
        f"{100 * counts[Source.WEBHOOK.value] / total:.1f} % of {counts.total():,} updates arrived by webhook, the others by polling.",
        marks,
        Table("Status updates by source", ("Source", "Updates", "Share"), rows),
        height=28,
    )
