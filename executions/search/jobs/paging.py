"""One page of jobs, whatever the filters and the order, in a time that hardly depends on how many jobs there are.

Three ways lead to it, and which one is taken depends on how many jobs match:

- walk: along an index in the page's order, testing each job, until the page is full. Fast where matches are common.
- gather: a filter that few jobs match (MOST at most, which its index counts in a moment) is answered as a whole,
  and what it finds is tested and sorted. Fast where matches are rare.
- look: for words, the first WINDOW jobs of a walk are tested before anything else; then, up to twice FAR, twice as
  many as should fill the page by what was found among these. Common words end there.

Each way is exact: they find the same jobs.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q, QuerySet

from executions.core import ids
from executions.models import Execution
from executions.search.jobs.filters import COLUMNS, Filters, values
from executions.search.jobs.ordering import NEWEST, Key, Order
from executions.search.text.matching import Found as FoundByIndex
from executions.search.text.matching import Holds, first_seen
from executions.statuses import SUCCEEDED

MOST = 5000
WINDOW, FAR = 1500, 10_000
# Values of one filter that are walked one by one, each along its own stretch of the index.
FEW = 12
CHUNK = 500
# What the index of a filter holds besides (models/execution.py): tested without a look at the rows.
COVERED = {
    "person": ("tool", "status"),
    "status": ("tool",),
    "error": ("person", "tool"),
    "origin": ("tool", "status"),
}

type SQL = tuple[str, Sequence[Any]]


@dataclass(frozen=True)
class Found:
    """Ids in the order of the page, and whether there is more on either side."""

    ids: list[uuid.UUID]
    has_before: bool
    has_after: bool


def page(
    filters: Filters,
    order: Order,
    *,
    size: int,
    after: uuid.UUID | None = None,
    before: uuid.UUID | None = None,
    through: uuid.UUID | None = None,
) -> Found:
    """The jobs that stand behind `after`, or before `before`; else the first ones.

    `through` holds the first page of the newest still: nothing newer than that job is on it.
    """
    if before is not None and (key := _key(order, before)):
        # Taken from the near end, then turned round.
        taken = first(filters, order.turned(), size + 1, key)
        return Found(taken[:size][::-1], len(taken) > size, True)
    key = _key(order, after) if after is not None else None
    taken = first(filters, order, size + 1, key, through)
    return Found(taken[:size], key is not None, len(taken) > size)


def count_newer(filters: Filters, than: uuid.UUID, most: int) -> int:
    """How many jobs match that came after that one, counted up to `most`."""
    newer = Execution.objects.filter(id__gt=than)
    if newer[: WINDOW + 1].count() <= WINDOW:
        return newer.filter(*filters.conditions())[:most].count()
    # Too many to test each: what matches is found as for a page.
    return sum(each > than for each in first(filters, NEWEST, most))


def every(filters: Filters) -> Iterator[uuid.UUID]:
    """All jobs that match, the newest first, found in chunks as they are asked for."""
    key: Key | None = None
    while True:
        chunk = first(filters, NEWEST, CHUNK, key)
        yield from chunk
        if len(chunk) < CHUNK:
            return
        key = Key(chunk[-1])


def first(
    filters: Filters, order: Order, limit: int, key: Key | None = None, through: uuid.UUID | None = None
) -> list[uuid.UUID]:
    """The ids of the first jobs in that order, behind `key`."""
    if filters.origin == Execution.Origin.EXTERNAL and (
        filters.person.only or order.column == "created_by_id"
    ):
        return []  # what was started elsewhere has no person
    filters = filters.narrowed()
    walk = Walk(filters, order, key, through)
    try:
        for name in _worth_gathering(filters, order):
            if (count := walk.count(name)) <= MOST:
                return walk.gather(name, limit) if count else []
        if filters.wanted:
            near = walk.look(limit)
            if len(near) == limit:
                return near
            if (count := walk.count_words()) <= MOST:
                return walk.gather_words(limit) if count else []
        return walk.along(limit)
    except EmptyResultSet:
        return []


def _worth_gathering(filters: Filters, order: Order) -> Iterator[str]:
    """Filters with an index that does not run in the page's order."""
    if filters.is_by_duration:
        yield "duration"
    if order.column and (name := _driver(filters, NEWEST)):
        yield name


def _driver(filters: Filters, order: Order) -> str:
    """The filter whose index is walked, where that runs in the page's order; empty: all jobs are walked."""
    if order.column == "duration":
        return "tool" if values(filters.tool, FEW) else "duration"
    if order.column:
        return "person" if values(filters.person, FEW) else ""
    few = [name for name in COLUMNS if values(filters.choice(name), FEW)]
    for name in ("batch", "error"):
        if name in few:
            return name
    if filters.origin == Execution.Origin.EXTERNAL:
        return "origin"
    if "person" in few:
        return "person"
    if "tool" in few and ("status" not in few or SUCCEEDED in filters.status.only):
        return "tool"
    return "status" if "status" in few else ""


class Walk:
    """The ways, for one page. The queries are Django's; only their union is put together here."""

    def __init__(self, filters: Filters, order: Order, key: Key | None, through: uuid.UUID | None) -> None:
        self.filters = filters
        self.order = order
        bounds = Q(id__lte=through) if through is not None else Q()
        self.stretches = [bounds & beyond for beyond in order.beyond(key)] if key else [bounds]

    # --- walk ---------------------------------------------------------------------------------------------

    def along(self, limit: int) -> list[uuid.UUID]:
        return self._run(self._walked(self.filters.conditions(by=self._by), limit), limit)

    def look(self, limit: int) -> list[uuid.UUID]:
        """What the first jobs of a walk hold of it: all, or the beginning. It looks farther where that may be enough."""
        found = self._look(limit, WINDOW)
        if found and len(found) < limit and (enough := WINDOW * limit // len(found)) <= FAR:
            found = self._look(limit, 2 * enough)
        return found

    def _look(self, limit: int, window: int) -> list[uuid.UUID]:
        walked = self._walked(self.filters.without_words().conditions(by=self._by), window)
        rows = self._statement(walked, window, "prompt")
        return first_seen(rows, "prompt", self.filters.terms, self._ordered, limit, connection)

    @property
    def _by(self) -> str:
        return _driver(self.filters, self.order)

    def _walked(self, conditions: list[Any], limit: int) -> list[QuerySet[Execution]]:
        """Queries that each walk along one stretch of an index."""
        rows = Execution.objects.filter(*conditions)
        if self.order.column:
            rows = rows.filter(**{f"{self.order.column}__isnull": False})
        column = COLUMNS.get(self._by)
        alone = [Q(**{column: value}) for value in self.filters.choice(self._by).only] if column else [Q()]
        return [
            rows.filter(each, stretch).order_by(*self.order.by)[:limit]
            for each in alone
            for stretch in self.stretches
        ]

    # --- gather -------------------------------------------------------------------------------------------

    def count(self, name: str) -> int:
        """How many jobs match this filter and those that its index answers too, up to one more than MOST."""
        if name == "duration":
            some = self.filters.only("tool", "at_least", "less_than")
        else:
            some = self.filters.only(name, *COVERED.get(name, ()))
        return Execution.objects.filter(*some.conditions(by=name))[: MOST + 1].count()

    def count_words(self) -> int:
        rows = Execution.objects.filter(Holds(self._index(MOST + 1)))
        return rows[: MOST + 1].count()

    def gather(self, name: str, limit: int) -> list[uuid.UUID]:
        return self._sorted(self.filters.conditions(by=name), limit)

    def gather_words(self, limit: int) -> list[uuid.UUID]:
        return self._sorted(self.filters.conditions(by="words", found=self._index(None)), limit)

    def _index(self, most: int | None) -> FoundByIndex:
        return FoundByIndex("prompt", self.filters.wanted, most)

    def _sorted(self, conditions: list[Any], limit: int) -> list[uuid.UUID]:
        rows = Execution.objects.filter(*conditions)
        if self.order.column:
            rows = rows.filter(**{f"{self.order.column}__isnull": False})
        # Bounded without an order, so that they are found by the filter's index and not by the order's.
        return self._run([rows.filter(stretch)[: MOST + 1] for stretch in self.stretches], limit)

    # --- both ---------------------------------------------------------------------------------------------

    def _run(self, queries: Iterable[QuerySet[Execution]], limit: int) -> list[uuid.UUID]:
        """The first ids of all these together."""
        with connection.cursor() as cursor:
            cursor.execute(*self._statement(queries, limit))
            return ids.from_rows(cursor.fetchall())

    @property
    def _ordered(self) -> str:
        return ", ".join(
            f"{each.lstrip('-')}{' DESC' if each.startswith('-') else ''}" for each in self.order.by
        )

    def _statement(self, queries: Iterable[QuerySet[Execution]], limit: int, *more: str) -> SQL:
        """One statement for the first of all these: their ids, or all columns if there are more. Raises EmptyResultSet
        when none of them can have any."""
        columns = [*filter(None, ["id", self.order.column]), *more]
        parts: list[str] = []
        params: list[Any] = []
        for query in queries:
            try:
                sql, some = query.values_list(*columns).query.sql_with_params()
            except EmptyResultSet:
                continue
            parts.append(f"SELECT * FROM ({sql}) AS stretch")
            params += some
        if not parts:
            raise EmptyResultSet
        union, taken = " UNION ALL ".join(parts), "*" if more else "id"
        return f"SELECT {taken} FROM ({union}) AS found ORDER BY {self._ordered} LIMIT {int(limit)}", params


def _key(order: Order, job_id: uuid.UUID) -> Key | None:
    """Where that job stands; None when it stands in this order nowhere."""
    if not order.column:
        return Key(job_id)
    value = Execution.objects.filter(pk=job_id).values_list(order.column, flat=True).first()
    return Key(job_id, value) if value is not None else None
