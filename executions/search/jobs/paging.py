"""One page of jobs, for any filters and order, in a time that hardly depends on the number of jobs.

There are three strategies; the number of matching jobs decides which one is used:

- scan: follow an index in the page's order and test each job until the page is full. Fast if matches are common.
- collect: look up all matches of a filter that few jobs match (at most MAX_COLLECTED, which its index counts
  quickly), then test and sort them. Fast if matches are rare.
- probe: for search words, first test the PROBE_SIZE jobs at the start of a scan. If they contain matches, test twice as
  many jobs as should fill the page at that rate, at most 2 × MAX_ESTIMATE. Enough for common words.

All strategies are exact: they find the same jobs.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Q, QuerySet

from executions.core import ids
from executions.models import Execution
from executions.search.jobs.filters import COLUMNS, Filters, lookup_values
from executions.search.jobs.ordering import NEWEST, Key, Order
from executions.search.text.matching import IndexMatch, RawCondition, first_matches
from executions.statuses import SUCCEEDED

MAX_COLLECTED = 5000
PROBE_SIZE, MAX_ESTIMATE = 1500, 10_000
# Maximum number of values of one filter that are scanned separately, each in its own range of the index.
MAX_VALUES = 12
CHUNK = 500
# Further columns in each filter's index (models/execution.py), which are tested without reading rows.
COVERED = {
    "person": ("tool", "status"),
    "status": ("tool",),
    "error": ("person", "tool"),
    "origin": ("tool", "status"),
}

type SQL = tuple[str, Sequence[Any]]


@dataclass(frozen=True)
class JobPage:
    """Ids in the order of the page, and whether there are more jobs on either side."""

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
) -> JobPage:
    """The page after the job `after`, or before the job `before`; else the first page.

    `through` keeps the first page stable: it contains no job newer than that one.
    """
    if before is not None and (key := _key(order, before)):
        # Read backwards from `before`, then reversed.
        found = first(filters, order.reversed(), size + 1, key)
        return JobPage(found[:size][::-1], len(found) > size, True)
    key = _key(order, after) if after is not None else None
    found = first(filters, order, size + 1, key, through)
    return JobPage(found[:size], key is not None, len(found) > size)


def count_newer(filters: Filters, than: uuid.UUID, limit: int) -> int:
    """The number of matching jobs newer than `than`, at most `limit`."""
    newer = Execution.objects.filter(id__gt=than)
    if newer[: PROBE_SIZE + 1].count() <= PROBE_SIZE:
        return newer.filter(*filters.conditions())[:limit].count()
    # Too many to test each of them: find the matches as for a page.
    return sum(each > than for each in first(filters, NEWEST, limit))


def iterate(filters: Filters) -> Iterator[uuid.UUID]:
    """All matching jobs, newest first, read in chunks as they are consumed."""
    key: Key | None = None
    while True:
        chunk = first(filters, NEWEST, CHUNK, key)
        yield from chunk
        if len(chunk) < CHUNK:
            return
        key = Key(chunk[-1])


def iterate_values(filters: Filters, fields: Collection[str]) -> Iterator[tuple[Any, ...]]:
    """These fields of all matching jobs, newest first, read in chunks without holding a cursor. The first is "pk"."""
    for chunk in batched(iterate(filters), CHUNK, strict=False):
        rows = {row[0]: row for row in Execution.objects.filter(pk__in=chunk).values_list(*fields)}
        yield from (rows[pk] for pk in chunk if pk in rows)


def first(
    filters: Filters, order: Order, limit: int, key: Key | None = None, through: uuid.UUID | None = None
) -> list[uuid.UUID]:
    """The ids of the first jobs in that order, after `key`."""
    if filters.origin == Execution.Origin.EXTERNAL and (
        filters.person.only or order.column == "created_by_id"
    ):
        return []  # external jobs have no person
    filters = filters.with_implied()
    planner = PagePlanner(filters, order, key, through)
    try:
        for name in _collectable(filters, order):
            if (count := planner.count(name)) <= MAX_COLLECTED:
                return planner.collect(name, limit) if count else []
        if filters.included_terms:
            found = planner.probe(limit)
            if len(found) == limit:
                return found
            if (count := planner.count_words()) <= MAX_COLLECTED:
                return planner.collect_words(limit) if count else []
        return planner.scan(limit)
    except EmptyResultSet:
        return []


def _collectable(filters: Filters, order: Order) -> Iterator[str]:
    """Filters whose index is not in the page's order."""
    if filters.is_by_duration:
        yield "duration"
    if order.column and (name := _scanned_filter(filters, NEWEST)):
        yield name


def _scanned_filter(filters: Filters, order: Order) -> str:
    """The filter whose index to scan, which is in the page's order; empty to scan all jobs."""
    if order.column == "duration":
        return "tool" if lookup_values(filters.tool, MAX_VALUES) else "duration"
    if order.column:
        return "person" if lookup_values(filters.person, MAX_VALUES) else ""
    few = [name for name in COLUMNS if lookup_values(filters.choice(name), MAX_VALUES)]
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


class PagePlanner:
    """The strategies for one page. Django builds the queries; only their UNION is written here."""

    def __init__(self, filters: Filters, order: Order, key: Key | None, through: uuid.UUID | None) -> None:
        self.filters = filters
        self.order = order
        bounds = Q(id__lte=through) if through is not None else Q()
        self.ranges = [bounds & rest for rest in order.after(key)] if key else [bounds]

    # --- scan ---------------------------------------------------------------------------------------------

    def scan(self, limit: int) -> list[uuid.UUID]:
        return self._run(self._scans(self.filters.conditions(by=self._by), limit), limit)

    def probe(self, limit: int) -> list[uuid.UUID]:
        """The matches among the first jobs of a scan, at most `limit`; fewer if it has to scan further."""
        found = self._probe(limit, PROBE_SIZE)
        if found and len(found) < limit and (estimate := PROBE_SIZE * limit // len(found)) <= MAX_ESTIMATE:
            found = self._probe(limit, 2 * estimate)
        return found

    def _probe(self, limit: int, window: int) -> list[uuid.UUID]:
        scans = self._scans(self.filters.without_words().conditions(by=self._by), window)
        rows = self._statement(scans, window, "prompt")
        return first_matches(rows, "prompt", self.filters.terms, self._order_by, limit, connection)

    @property
    def _by(self) -> str:
        return _scanned_filter(self.filters, self.order)

    def _scans(self, conditions: list[Any], limit: int) -> list[QuerySet[Execution]]:
        """Queries that each scan one range of an index."""
        rows = Execution.objects.filter(*conditions)
        if self.order.column:
            rows = rows.filter(**{f"{self.order.column}__isnull": False})
        column = COLUMNS.get(self._by)
        lookups = [Q(**{column: value}) for value in self.filters.choice(self._by).only] if column else [Q()]
        return [
            rows.filter(lookup, each).order_by(*self.order.by)[:limit]
            for lookup in lookups
            for each in self.ranges
        ]

    # --- collect ------------------------------------------------------------------------------------------

    def count(self, name: str) -> int:
        """The number of jobs that match this filter and those that its index covers, at most MAX_COLLECTED + 1."""
        if name == "duration":
            covered = self.filters.subset("tool", "at_least", "less_than")
        else:
            covered = self.filters.subset(name, *COVERED.get(name, ()))
        return Execution.objects.filter(*covered.conditions(by=name))[: MAX_COLLECTED + 1].count()

    def count_words(self) -> int:
        rows = Execution.objects.filter(RawCondition(self._index_match(MAX_COLLECTED + 1)))
        return rows[: MAX_COLLECTED + 1].count()

    def collect(self, name: str, limit: int) -> list[uuid.UUID]:
        return self._sorted(self.filters.conditions(by=name), limit)

    def collect_words(self, limit: int) -> list[uuid.UUID]:
        conditions = self.filters.conditions(by="words", index_match=self._index_match(None))
        return self._sorted(conditions, limit)

    def _index_match(self, limit: int | None) -> IndexMatch:
        return IndexMatch("prompt", self.filters.included_terms, limit)

    def _sorted(self, conditions: list[Any], limit: int) -> list[uuid.UUID]:
        rows = Execution.objects.filter(*conditions)
        if self.order.column:
            rows = rows.filter(**{f"{self.order.column}__isnull": False})
        # Limited but unordered, so that the database uses the filter's index and not the order's.
        return self._run([rows.filter(each)[: MAX_COLLECTED + 1] for each in self.ranges], limit)

    # --- both ---------------------------------------------------------------------------------------------

    def _run(self, queries: Iterable[QuerySet[Execution]], limit: int) -> list[uuid.UUID]:
        """The first ids of the union of the queries."""
        with connection.cursor() as cursor:
            cursor.execute(*self._statement(queries, limit))
            return ids.from_rows(cursor.fetchall())

    @property
    def _order_by(self) -> str:
        return ", ".join(
            f"{each.lstrip('-')}{' DESC' if each.startswith('-') else ''}" for each in self.order.by
        )

    def _statement(self, queries: Iterable[QuerySet[Execution]], limit: int, *more: str) -> SQL:
        """The union of the queries, in the page's order, as one statement.

        It selects the id, or with further columns `more` all of them. Raises EmptyResultSet if no query can match.
        """
        columns = [*filter(None, ["id", self.order.column]), *more]
        parts: list[str] = []
        params: list[Any] = []
        for query in queries:
            try:
                sql, some = query.values_list(*columns).query.sql_with_params()
            except EmptyResultSet:
                continue
            parts.append(f"SELECT * FROM ({sql}) AS part")
            params += some
        if not parts:
            raise EmptyResultSet
        union, selected = " UNION ALL ".join(parts), "*" if more else "id"
        return (
            f"SELECT {selected} FROM ({union}) AS found ORDER BY {self._order_by} LIMIT {int(limit)}",
            params,
        )


def _key(order: Order, job_id: uuid.UUID) -> Key | None:
    """The job's position in the order; None if the order does not contain it."""
    if not order.column:
        return Key(job_id)
    value = Execution.objects.filter(pk=job_id).values_list(order.column, flat=True).first()
    return Key(job_id, value) if value is not None else None
