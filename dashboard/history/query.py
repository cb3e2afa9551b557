"""Reads the query of a History address. Invalid parameters are ignored and listed on the page; they never raise.

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
from urllib.parse import urlencode

from django.http import QueryDict
from django.utils import timezone

from dashboard.http.params import MAX_USER_ID, as_day, as_number, as_uuid
from executions import tools
from executions.models import Execution
from executions.search.jobs import ORDERS, Choice, Filters
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
MANY = ("status", "tool", "person", "batch", "error")
ONE = ("origin", "when", "from", "to", "min", "max", "q")


def _slug(text: str) -> str | None:
    """A tool of the catalogue, or an unknown one that an external job used."""
    return text if text in tools.TOOLS or Execution.objects.filter(tool=text).exists() else None


def _person(text: str) -> int | None:
    return as_number(text, MAX_USER_ID)


READERS: dict[str, Callable[[str], Any]] = {"tool": _slug, "person": _person, "batch": as_uuid}


@dataclass(frozen=True)
class HistoryQuery:
    """A parsed address: `filters` for the search, `terms` as written in the address."""

    filters: Filters
    terms: tuple[tuple[str, str], ...]
    sort: str
    view: str
    not_understood: tuple[str, ...] = ()
    """Invalid values, as typed."""

    @property
    def is_filtered(self) -> bool:
        return bool(self.terms)

    @property
    def order(self) -> Any:
        return ORDERS[self.sort]

    def string(self, **more: Any) -> str:
        """The query string; `more` may change the sort and the view, and add a page's position."""
        shape = {"sort": self.sort, "view": self.view} | more
        default = {"sort": "newest", "view": "list"}
        added = [(name, str(value)) for name, value in shape.items() if value and value != default.get(name)]
        return urlencode([*self.terms, *added])

    def values(self, name: str) -> list[str]:
        return [value for each, value in self.terms if each == name]

    def value(self, name: str) -> str:
        return next(iter(self.values(name)), "")


def parse_query(query: QueryDict) -> HistoryQuery:
    terms: list[tuple[str, str]] = []
    given: list[str] = []
    choices: dict[str, Any] = {}
    for name in MANY:
        values = list(dict.fromkeys(map(_clean, query.getlist(name))))[:MAX_VALUES]
        kept, choices[name] = _choice(values, READERS.get(name, str))
        terms += [(name, value) for value in kept]
        given += [value for value in values if value and value not in kept]
    one = {name: _clean(query.get(name, ""), MAX_LENGTH) for name in ONE}
    read = _SingleValues(one)
    terms += read.terms
    given += [value for name, value in one.items() if value and name not in read.understood]
    sort, view = query.get("sort", ""), query.get("view", "")
    return HistoryQuery(
        Filters(**choices, **read.filters),
        tuple(terms),
        sort if sort in SORTS else "newest",
        view if view in VIEWS else "list",
        tuple(given),
    )


def _clean(text: str, max_length: int = MAX_VALUE_LENGTH + 1) -> str:
    # PostgreSQL rejects NUL characters and lone surrogates; no value contains them.
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()[:max_length].strip()


def _choice(values: Iterable[str], read: Callable[[str], Any]) -> tuple[list[str], Choice]:
    kept: list[str] = []
    only: list[Any] = []
    without: list[Any] = []
    for value in values:
        found = read(value.removeprefix("-"))
        if found is None or found == "":
            continue
        kept.append(value)
        (without if value.startswith("-") else only).append(found)
    return kept, Choice(tuple(only), tuple(without))


class _SingleValues:
    """The filters that take one value each."""

    def __init__(self, one: dict[str, str]) -> None:
        self.filters: dict[str, Any] = {}
        self.terms: list[tuple[str, str]] = []
        self.understood: set[str] = set()
        if one["origin"] in Execution.Origin.values:
            self._take("origin", one["origin"], origin=one["origin"])
        if one["when"] in WHEN:
            self._take("when", one["when"], since=timezone.now() - timedelta(days=WHEN[one["when"]][1]))
            self.understood |= {"from", "to"}  # ignored in favour of `when`
        else:
            if one["when"] == BETWEEN:
                self.understood.add("when")
            if (since := _begin_of_day(one["from"])) is not None:
                self._take("from", one["from"], since=since)
            if (until := _begin_of_day(one["to"])) is not None:
                self._take("to", one["to"], until=until + timedelta(days=1))
        if (least := _seconds(one["min"])) is not None:
            self._take("min", one["min"], at_least=least)
        if (most := _seconds(one["max"])) is not None:
            self._take("max", one["max"], less_than=most)
        if one["q"]:
            self._take("q", one["q"], words=one["q"])

    def _take(self, name: str, value: str, **filters: Any) -> None:
        self.terms.append((name, value))
        self.understood.add(name)
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
