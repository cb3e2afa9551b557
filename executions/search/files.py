"""The first files of the library that match, in a time that hardly depends on how many files there are.

Without words an index is walked in the page's order; it has every column that may be asked for, so the table is read
for what is shown alone. Of several filters one that few files match (MOST at most) is answered as a whole instead.
With words there are three ways, and all find the same:

- look: the newest WINDOW files are tested before anything else. Common words fill a page there.
- gather: words that few names have, which the search index tells in a moment, are answered as a whole.
- walk: what many names have is found by going on from the newest.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection

from executions.models import File
from executions.models.file import FileQuerySet
from executions.search import text as text_search
from executions.search.text import Term
from executions.search.text.matching import Found, Holds, first_seen, seen

WINDOW = 300
MOST = 1000


def first(
    shelf: FileQuerySet,
    filters: Mapping[str, Any],
    words: str,
    limit: int,
    after: uuid.UUID | None = None,
) -> list[uuid.UUID]:
    """The ids of the newest files of a shelf that match: older than `after`, with these values of File.FILTERED,
    and with all that was typed in their name."""
    few = _fewest(shelf, filters)
    rows = shelf.filter(pk__in=few) if few is not None else shelf
    rows = rows.filter(**filters)
    if after is not None:
        rows = rows.filter(pk__lt=after)
    ids = rows.newest_first().values_list("pk", flat=True)
    terms = text_search.parse(words)
    if not terms:
        # Nothing but marks was typed: no name is told apart by that.
        return list(ids[:limit])
    found = _look(rows, terms, limit)
    if len(found) == limit:
        return found
    test = seen("display_name", terms)
    wanted = tuple(term for term in terms if not term.is_excluded)
    if wanted:
        # Without an order, so that they are found by the search index and by no other.
        named = File.objects.filter(Holds(Found("display_name", wanted, MOST + 1))).order_by()
        some = list(named.values_list("pk", flat=True)[: MOST + 1])
        if not some:
            return []
        if len(some) <= MOST:
            return list(ids.filter(test, pk__in=some)[:limit])
    return list(ids.filter(test)[:limit])


def _look(rows: FileQuerySet, terms: Sequence[Term], limit: int) -> list[uuid.UUID]:
    try:
        near = rows.newest_first().values_list("id", "display_name")[:WINDOW].query.sql_with_params()
    except EmptyResultSet:
        return []
    return first_seen(near, "display_name", terms, "id DESC", limit, connection)


def _fewest(shelf: FileQuerySet, filters: Mapping[str, Any]) -> list[uuid.UUID] | None:
    """All files that match one of several filters, where those are few: no index needs to be walked then."""
    if len(filters) < 2:
        return None
    for column, value in filters.items():
        alone = shelf.filter(**{column: value}).newest_first()
        found = list(alone.values_list("pk", flat=True)[: MOST + 1])
        if len(found) <= MOST:
            return found
    return None
