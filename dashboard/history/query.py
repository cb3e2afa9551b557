"""Parses the query of a History URL. Invalid parameters are ignored and listed on the page; they never raise.

status=failed&status=-running   any of these, and none of those with a minus
tool, person, batch, error      likewise, by slug, user id, batch id, error code
error=none                      failed without a code
origin=here | elsewhere         started in Rushes, or outside it
when=7d  or  from=2026-11-01&to=2026-11-30 (both days included, UTC)
min=10&max=60                   duration in seconds
q=lighthouse                    search terms for the prompt (executions/search/text/terms.py)
sort, view                      see SORTS and VIEWS
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from dashboard.http.params import MAX_USER_ID, as_day, as_number, as_uuid
from dashboard.http.query_urls import query_string, with_query
from executions import tools
from executions.models import Execution
from executions.search.jobs import ORDERS, FilterChoice, Filters
from executions.search.text.terms import MAX_LENGTH

MAX_VALUES = 50  # of one filter
MAX_VALUE_LENGTH = 64
MAX_SECONDS = 10_000_000.0
WHEN = {
    "1d": ("last 24 hours", 1),
    "7d": ("last 7 days", 7),
    "30d": ("last 30 days", 30),
    "90d": ("last 90 days", 90),
}
# Sent by the form together with two days when JavaScript is off.
BETWEEN = "between"
SORTS = {
    "newest": "Newest first",
    "oldest": "Oldest first",
    "longest": "Longest first",
    "shortest": "Shortest first",
    "person": "By person",
    "-person": "By person, reversed",
}
VIEWS = ("list", "gallery")
MULTI_VALUE_FILTERS = ("status", "tool", "person", "batch", "error")
SINGLE_VALUE_FILTERS = ("origin", "when", "from", "to", "min", "max", "q")


def _slug(text: str) -> str | None:
    """A tool of the catalogue, or an unknown one that an external job used."""
    return text if text in tools.TOOLS or Execution.objects.of_tool(text).exists() else None


def _person(text: str) -> int | None:
    return as_number(text, MAX_USER_ID)


PARSERS: dict[str, Callable[[str], Any]] = {"tool": _slug, "person": _person, "batch": as_uuid}


@dataclass(frozen=True)
class HistoryQuery:
    """A parsed query: `filters` for the search, `terms` as written in the URL."""

    filters: Filters
    terms: tuple[tuple[str, str], ...]
    sort: str
    view: str
    ignored: tuple[str, ...] = ()
    """Invalid values, as typed."""

    @property
    def is_filtered(self) -> bool:
        return bool(self.terms)

    @property
    def order(self) -> Any:
        return ORDERS[self.sort]

    def string(self, **more: Any) -> str:
        """The query string; `more` may change the sort and the view, and add a page's position."""
        return query_string(self._all_terms(more))

    def url(self, **more: Any) -> str:
        """The History with this query."""
        return with_query(reverse("executions"), self._all_terms(more))

    def _all_terms(self, more: dict[str, Any]) -> list[tuple[str, Any]]:
        shape = {"sort": self.sort, "view": self.view} | more
        default = {"sort": "newest", "view": "list"}
        return [*self.terms, *((name, value) for name, value in shape.items() if value != default.get(name))]

    def values(self, name: str) -> list[str]:
        return [value for each, value in self.terms if each == name]

    def value(self, name: str) -> str:
        return next(iter(self.values(name)), "")


def parse_query(query: QueryDict) -> HistoryQuery:
    terms: list[tuple[str, str]] = []
    ignored: list[str] = []
    choices: dict[str, Any] = {}
    for name in MULTI_VALUE_FILTERS:
        values = list(dict.fromkeys(map(_clean, query.getlist(name))))[:MAX_VALUES]
        valid, choices[name] = _choice(values, PARSERS.get(name, str))
        terms += [(name, value) for value in valid]
        ignored += [value for value in values if value and value not in valid]
    single = {name: _clean(query.get(name, ""), MAX_LENGTH) for name in SINGLE_VALUE_FILTERS}
    read = _SingleValues(single)
    terms += read.terms
    ignored += [value for name, value in single.items() if value and name not in read.accepted]
    sort, view = query.get("sort", ""), query.get("view", "")
    return HistoryQuery(
        Filters(**choices, **read.filters),
        tuple(terms),
        sort if sort in SORTS else "newest",
        view if view in VIEWS else "list",
        tuple(ignored),
    )


def _clean(text: str, max_length: int = MAX_VALUE_LENGTH + 1) -> str:
    # PostgreSQL rejects NUL characters and lone surrogates; no value contains them.
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[:max_length].strip()


def _choice(values: Iterable[str], read: Callable[[str], Any]) -> tuple[list[str], FilterChoice]:
    valid: list[str] = []
    only: list[Any] = []
    without: list[Any] = []
    for value in values:
        found = read(value.removeprefix("-"))
        if found is None or found == "":
            continue
        valid.append(value)
        (without if value.startswith("-") else only).append(found)
    return valid, FilterChoice(tuple(only), tuple(without))


class _SingleValues:
    """The filters that take one value each."""

    def __init__(self, single: dict[str, str]) -> None:
        self.filters: dict[str, Any] = {}
        self.terms: list[tuple[str, str]] = []
        self.accepted: set[str] = set()
        if single["origin"] in Execution.Origin.values:
            self._accept("origin", single["origin"], origin=single["origin"])
        if single["when"] in WHEN:
            self._accept(
                "when", single["when"], since=timezone.now() - timedelta(days=WHEN[single["when"]][1])
            )
            self.accepted |= {"from", "to"}  # ignored in favour of `when`
        else:
            if single["when"] == BETWEEN:
                self.accepted.add("when")
            if (since := _begin_of_day(single["from"])) is not None:
                self._accept("from", single["from"], since=since)
            if (until := _begin_of_day(single["to"])) is not None:
                self._accept("to", single["to"], until=until + timedelta(days=1))
        if (least := _seconds(single["min"])) is not None:
            self._accept("min", single["min"], at_least=least)
        if (most_seconds := _seconds(single["max"])) is not None:
            self._accept("max", single["max"], less_than=most_seconds)
        if single["q"]:
            self._accept("q", single["q"], words=single["q"])

    def _accept(self, name: str, value: str, **filters: Any) -> None:
        self.terms.append((name, value))
        self.accepted.add(name)
        self.filters |= filters


def _begin_of_day(text: str) -> datetime | None:
    day = as_day(text)
    return datetime.combine(day, time(), UTC) if day else None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 0 <= seconds <= MAX_SECONDS else None
