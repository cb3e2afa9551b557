"""Keyset paging: a page starts after a known row instead of at an OFFSET, so a deep page costs as much as the first.

Rows are ordered by one unique column, written as for `order_by`: "-pk" is newest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet


@dataclass(frozen=True)
class KeysetPage[Row]:
    """The rows of one page, in order."""

    rows: Sequence[Row]
    has_more: bool
    """Whether more rows follow the last one."""


def cut[Row](found: Sequence[Row], size: int) -> KeysetPage[Row]:
    """A page from up to `size + 1` rows; the extra row shows that more follow."""
    return KeysetPage(found[:size], len(found) > size)


def beyond[Rows: QuerySet[Any]](rows: Rows, after: Any, by: str = "-pk") -> Rows:
    """The rows after the column value `after`, in order; all rows if it is None."""
    rows = rows.order_by(by)
    if after is None:
        return rows
    column, lookup = by.removeprefix("-"), "lt" if by.startswith("-") else "gt"
    return rows.filter(**{f"{column}__{lookup}": after})


def page[Row: Model](
    rows: QuerySet[Row], *, size: int, after: Any = None, by: str = "-pk"
) -> KeysetPage[Row]:
    """The first `size` rows that follow `after`, in one query."""
    return cut(list(beyond(rows, after, by)[: size + 1]), size)


def iterate[Row: Model](rows: QuerySet[Row], *, size: int, by: str = "-pk") -> Iterator[Row]:
    """All rows in order, with one query per `size` rows and no open database cursor."""
    last: Any = None
    while True:
        chunk = list(beyond(rows, last, by)[:size])
        yield from chunk
        if len(chunk) < size:
            return
        last = getattr(chunk[-1], by.removeprefix("-"))
