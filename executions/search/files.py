"""Finds the newest matching files of the library, in a time that hardly depends on the number of files.

Without search words, an index is scanned in the page's order. It covers all filter columns, so that the table is read
only for the rows shown. If there are several filters and one of them matches few files (at most MAX_COLLECTED), those
are collected first instead.

With search words there are three strategies, which all find the same files:

- probe: test the newest PROBE_SIZE files first. Common words fill a page there.
- collect: words that few names contain, as the search index shows immediately, are looked up completely.
- scan: words that many names contain are found by scanning from the newest file.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection

from executions.core import keyset
from executions.models import File
from executions.models.file import FileQuerySet
from executions.search import text as text_search
from executions.search.text import Term
from executions.search.text.matching import IndexMatch, RawCondition, all_in_text, first_matches

PROBE_SIZE = 300
MAX_COLLECTED = 1000


def find(
    files: FileQuerySet,
    filters: Mapping[str, Any],
    words: str,
    limit: int,
    after: uuid.UUID | None = None,
) -> list[uuid.UUID]:
    """The ids of the newest `files` that match, at most `limit`.

    They are older than `after`, have the values of `filters` (columns of models.file.FILTERED), and their names
    contain all search words.
    """
    few = _first_selective_filter(files, filters)
    rows = files.filter(pk__in=few) if few is not None else files
    matching = keyset.beyond(rows.matching(filters), after)
    ids = matching.values_list("pk", flat=True)
    terms = text_search.parse(words)
    if not terms:
        # No terms (empty, or only punctuation): every name matches.
        return list(ids[:limit])
    found = _probe(matching, terms, limit)
    if len(found) == limit:
        return found
    condition = all_in_text("display_name", terms)
    included = tuple(term for term in terms if not term.is_excluded)
    if included:
        # Unordered, so that the database uses the search index and no other.
        named = File.objects.filter(
            RawCondition(IndexMatch("display_name", included, MAX_COLLECTED + 1))
        ).order_by()
        collected = list(named.values_list("pk", flat=True)[: MAX_COLLECTED + 1])
        if not collected:
            return []
        if len(collected) <= MAX_COLLECTED:
            return list(ids.filter(condition, pk__in=collected)[:limit])
    return list(ids.filter(condition)[:limit])


def _probe(newest_first: FileQuerySet, terms: Sequence[Term], limit: int) -> list[uuid.UUID]:
    """The matches among the newest PROBE_SIZE files."""
    try:
        newest = newest_first.values_list("id", "display_name")[:PROBE_SIZE].query.sql_with_params()
    except EmptyResultSet:
        return []
    return first_matches(newest, "display_name", terms, "id DESC", limit, connection)


def _first_selective_filter(files: FileQuerySet, filters: Mapping[str, Any]) -> list[uuid.UUID] | None:
    """All files that match one of several filters, if they are few; then no index has to be scanned."""
    if len(filters) < 2:
        return None
    for column, value in filters.items():
        matching = files.matching({column: value}).newest_first()
        found = list(matching.values_list("pk", flat=True)[: MAX_COLLECTED + 1])
        if len(found) <= MAX_COLLECTED:
            return found
    return None
