"""Parameters of URLs and forms, parsed from text. Invalid values are None, never an error."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from dashboard.http.query_urls import with_query
from executions.core import keyset
from executions.core.ids import as_uuid as as_uuid

MAX_ID = 2**63 - 1
MAX_USER_ID = 2**31 - 1  # user ids are 32-bit integers
# Days outside this range are invalid: adding to a day must not leave the calendar.
YEARS = range(1970, 9001)
MAX_IGNORED_SHOWN = 5


def as_number(text: str, at_most: int = MAX_ID) -> int | None:
    """An integer from 0 to `at_most`, in ASCII digits without a sign. A larger one fits no column."""
    # Python refuses to parse thousands of digits, so their count is checked first.
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID))):
        return None
    number = int(text)
    return number if number <= at_most else None


def as_id(text: str) -> int | None:
    """The id of a row. Ids begin at 1, so 0 is invalid."""
    return as_number(text) or None


def as_day(text: str) -> date | None:
    """A day such as 2026-03-31, in one of YEARS."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year in YEARS else None


def ignored_values(values: Sequence[str]) -> str:
    """The message that lists invalid filter values; empty if there are none."""
    if not values:
        return ""
    quoted = ", ".join(
        f"\N{LEFT DOUBLE QUOTATION MARK}{each}\N{RIGHT DOUBLE QUOTATION MARK}"
        for each in values[:MAX_IGNORED_SHOWN]
    )
    return f"Ignored unknown filter value{'' if len(values) == 1 else 's'}: {quoted}."


class PageCursor[Key]:
    """The query parameter with the row after which a page of a list begins (executions/core/keyset.py)."""

    def __init__(
        self, query: Mapping[str, str], parse: Callable[[str], Key | None], *, name: str = "after"
    ) -> None:
        """`parse` turns the parameter `name` into a key; an invalid one means the first page."""
        self.name = name
        self.after = parse(query.get(name, ""))

    def next_url(
        self,
        path: str,
        page: keyset.KeysetPage[Any],
        terms: Mapping[str, Any] | None = None,
        *,
        column: str = "pk",
    ) -> str:
        """The URL of the page after `page`, with the list's other `terms`; empty if nothing follows."""
        if not page.has_more:
            return ""
        return with_query(path, {**(terms or {}), self.name: getattr(page.rows[-1], column)})
