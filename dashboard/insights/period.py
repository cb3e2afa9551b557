"""Parses the query of an Insights URL: days, tools and people. Invalid values are ignored; invalid days are listed."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.http import QueryDict
from django.urls import reverse

from dashboard.http.params import MAX_USER_ID, as_day, as_number
from dashboard.http.query_urls import with_query
from executions import tools

DAY = timedelta(days=1)
# Up to this many days are drawn by day, and by week; more are drawn by month.
MAX_DAYS_BY_DAY, MAX_DAYS_BY_WEEK = 31, 92
EARLIEST = date(2020, 1, 1)  # before VideoGen's API existed
PRESETS = (("7", "7 days"), ("30", "30 days"), ("90", "90 days"), ("365", "12 months"), ("all", "All"))
DEFAULT_PRESET = "30"


@dataclass(frozen=True)
class Span:
    """A range of whole days, including the last one."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    @property
    def step(self) -> str:
        """The unit of one column."""
        if self.days <= MAX_DAYS_BY_DAY:
            return "day"
        return "week" if self.days <= MAX_DAYS_BY_WEEK else "month"

    @property
    def before(self) -> Span:
        """The same number of days, immediately before."""
        return Span(self.first - DAY * self.days, self.first - DAY)

    def columns(self) -> Iterator[Span]:
        """The days, or the weeks or months clipped to this range."""
        first, end_of = self.first, LAST_DAY_OF[self.step]
        while first <= self.last:
            last = min(end_of(first), self.last)
            yield Span(first, last)
            first = last + DAY

    def parts(self, *steps: str) -> Iterator[tuple[str, date]]:
        """The same days as few parts, (step, first day): whole steps of the first kind, and the remainder in the next
        finer ones. The last of `steps` must be "day"."""
        step, *finer = steps
        first, end_of = self.first, LAST_DAY_OF[step]
        while first <= self.last:
            end = end_of(first)
            # A whole step begins here if the previous one ended the day before.
            if end <= self.last and end_of(first - DAY) == first - DAY:
                yield step, first
            else:
                yield from Span(first, min(end, self.last)).parts(*finer)
            first = end + DAY

    def __str__(self) -> str:
        if self.first == self.last:
            return f"{self.first:%-d %B %Y}"
        year = "" if self.first.year == self.last.year else f" {self.first.year}"
        return f"{self.first:%-d %B}{year} to {self.last:%-d %B %Y}"


def end_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def end_of_week(day: date) -> date:
    return day + DAY * (6 - day.weekday())


LAST_DAY_OF: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": end_of_week,
    "month": end_of_month,
}


class InsightsQuery:
    """`?range=` is one of PRESETS, `since` and `until` are days; `tool` and `person` may repeat."""

    def __init__(self, query: QueryDict, today: date, first_day: date | None) -> None:
        self.problems: list[str] = []
        self.today = today
        self.tools = [slug for slug in dict.fromkeys(query.getlist("tool")) if slug in tools.TOOLS]
        self.people = list(dict.fromkeys(filter(None, map(_person, query.getlist("person")))))[:50]
        since, until = self._day(query, "since"), self._day(query, "until")
        self.has_own_days = since is not None or until is not None
        preset = query.get("range", DEFAULT_PRESET)
        self.preset = "" if self.has_own_days else preset if preset in dict(PRESETS) else DEFAULT_PRESET
        if self.has_own_days:
            last = min(until or today, today)
            first = min(since or last - DAY * 29, last)
            if since and until and since > until:
                self.problems.append("The first day is after the last day. Only the last day is shown.")
        elif self.preset == "all":
            first, last = max(first_day or today, EARLIEST), today
        else:
            first, last = today - DAY * (int(self.preset) - 1), today
        self.span = Span(first, last)

    def _day(self, query: QueryDict, name: str) -> date | None:
        text = query.get(name, "").strip()
        if not text:
            return None
        day = as_day(text)
        if day is None:
            self.problems.append(f"“{text[:40]}” is not a valid day. Use the form 2026-03-31.")
            return None
        return max(day, EARLIEST)

    @property
    def other_filters(self) -> dict[str, Any]:
        """The filters other than the days."""
        return {"tool": self.tools, "person": [str(each) for each in self.people]}

    @property
    def is_filtered(self) -> bool:
        return bool(self.tools or self.people)

    @property
    def presets(self) -> list[tuple[str, str, bool]]:
        """(label, URL, whether it is selected)."""
        return [(words, self._url(range=name), name == self.preset) for name, words in PRESETS]

    @property
    def clear_url(self) -> str:
        days = (
            {"since": self.span.first, "until": self.span.last}
            if self.has_own_days
            else {"range": self.preset}
        )
        return with_query(reverse("insights"), days)

    def _url(self, **days: Any) -> str:
        return with_query(reverse("insights"), days | self.other_filters)


def _person(text: str) -> int | None:
    """A user id; None if it is invalid."""
    return as_number(text, MAX_USER_ID)
