"""One page of the audit: filters from the URL that combine, keyset paging in both directions, and the exports' rows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from django.apps import apps
from django.contrib.auth import get_user_model
from django.urls import reverse

from dashboard.audit.wording import FOUND_BY_ID, GROUPS, SOURCES, Row
from dashboard.history.query import left_out_of_address
from dashboard.http import table_export
from dashboard.http.params import MAX_USER_ID, as_day, as_number
from dashboard.http.query_urls import query_string, with_query
from executions.core import database
from executions.models import Event
from executions.models.event import KINDS, EventQuerySet

SIZE = 50
MOST_PEOPLE = 500
LONGEST = 200
UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
# Ids sort by time, but for what was written at the same moment; by an hour they are never apart.
SLACK = timedelta(hours=1)
TERMS = ("actor", "group", "kind", "source", "object", "address", "since", "until", "q")
COLUMNS = (
    *("position", "recorded_at", "occurred_at", "kind", "who", "what", "address", "source"),
    *("object_kind", "object_id", "object_name", "from_status", "to_status", "detail", "delivery_id"),
    *("event_id", "previous_hash", "hash"),
)


class AuditPage:
    """`after` and `before` are ids: older than the one, or newer than the other. Values that are none are not there."""

    def __init__(self, query: Mapping[str, str]) -> None:
        given = {name: " ".join(query.get(name, "").replace("\x00", " ").split())[:LONGEST] for name in TERMS}
        self.actor = as_number(given["actor"], MAX_USER_ID)
        self.group = given["group"] if given["group"] in GROUPS else ""
        self.kind = given["kind"] if given["kind"] in dict(KINDS) else ""
        self.source = given["source"] if given["source"] in SOURCES else ""
        self.object, self.address, self.q = given["object"], given["address"], given["q"]
        self.since, self.until = as_day(given["since"]), as_day(given["until"])
        self._given = {name: value for name, value in given.items() if value}
        self.after, self.before = as_number(query.get("after", "")), as_number(query.get("before", ""))

    # --- what was asked for -------------------------------------------------------------------------------

    @property
    def terms(self) -> dict[str, str]:
        """As they stand in the address."""
        found = {name: getattr(self, name) for name in TERMS}
        return {name: str(value) for name, value in found.items() if value}

    @property
    def not_understood(self) -> str:
        return left_out_of_address([each for name, each in self._given.items() if not getattr(self, name)])

    @property
    def choices(self) -> list[tuple[str, str, list[tuple[str, str, bool]]]]:
        """(name in the address, label, choices as (value, word, chosen))."""
        people = get_user_model().objects.order_by("username")[:MOST_PEOPLE]
        known = {
            "actor": ("Person", [(str(each.pk), each.get_username()) for each in people]),
            "group": ("What", [(name, word) for name, (word, _) in GROUPS.items()]),
            "source": ("Source", [(str(value), word) for value, word in SOURCES.items()]),
        }
        return [
            (
                name,
                label,
                [
                    ("", "any", not getattr(self, name)),
                    *((value, word, value == self.terms.get(name)) for value, word in options),
                ],
            )
            for name, (label, options) in known.items()
        ]

    @property
    def without_kind_url(self) -> str:
        return self._url({name: value for name, value in self.terms.items() if name != "kind"})

    # --- what was found -----------------------------------------------------------------------------------

    @property
    def rows(self) -> list[Row]:
        return self._found[0]

    @property
    def next_url(self) -> str:
        found, _, has_older = self._found
        return self._url({**self.terms, "after": found[-1].event.pk}) if found and has_older else ""

    @property
    def previous_url(self) -> str:
        found, has_newer, _ = self._found
        return self._url({**self.terms, "before": found[0].event.pk}) if found and has_newer else ""

    @property
    def export_query(self) -> str:
        return query_string(self.terms)

    @cached_property
    def _found(self) -> tuple[list[Row], bool, bool]:
        """The rows, whether there are newer ones, whether there are older ones."""
        if self.before:
            taken = self._ids(SIZE + 1, newer_than=self.before)
            ids, has_newer, has_older = taken[:SIZE][::-1], len(taken) > SIZE, True
        else:
            taken = self._ids(SIZE + 1, older_than=self.after)
            ids, has_newer, has_older = taken[:SIZE], self.after is not None, len(taken) > SIZE
        return self._read(ids), has_newer, has_older

    def _read(self, ids: list[int]) -> list[Row]:
        large = (
            "execution__request_body",
            "execution__start_answer",
            "execution__last_answer",
            "file__snapshot",
        )
        rows = Event.objects.select_related("actor", "execution", "file").defer(*large)
        return [Row(event) for event in rows.filter(pk__in=ids).order_by("-pk")]

    def _ids(self, size: int, *, older_than: int | None = None, newer_than: int | None = None) -> list[int]:
        """The nearest ids from there on, the nearest first."""
        order = "pk" if newer_than else "-pk"
        rows = self._matching
        if older_than:
            rows = rows.filter(pk__lt=older_than)
        if newer_than:
            rows = rows.filter(pk__gt=newer_than)
        kinds = (self.kind,) if self.kind else GROUPS[self.group][1] if self.group else ()
        if self.object or self.q:
            several = [rows.filter(kind__in=kinds) if kinds else rows]
        elif kinds or self.actor or self.source or self.address:
            # Each kind by itself, of which an index has the newest ready: together they would have to be sorted.
            several = [rows.filter(kind=kind) for kind in kinds or dict(KINDS)]
            if not (self.actor or self.source or self.address):
                several = [each.filter(source=source) for each in several for source in SOURCES]
        else:
            several = [rows]
        return database.ids_of_any(
            [each.order_by(order).values_list("pk")[:size] for each in several], order
        )[:size]

    @cached_property
    def _matching(self) -> EventQuerySet:
        rows = Event.objects.all()
        if self.actor:
            rows = rows.filter(actor=self.actor)
        if self.source:
            rows = rows.filter(source=self.source)
        if self.object:
            rows = rows.about(*_object(self.object))
        if self.address:
            rows = rows.from_address(self.address)
        for word in self.q.split():
            rows = rows.named(word)
        return self._in_time(rows)

    def _in_time(self, rows: EventQuerySet) -> EventQuerySet:
        if self.since:
            begin = datetime.combine(self.since, datetime.min.time(), UTC)
            first = Event.objects.first_since(begin - SLACK)
            rows = rows.filter(recorded_at__gte=begin, pk__gte=first or 0)
        if self.until:
            end = datetime.combine(self.until, datetime.min.time(), UTC) + timedelta(days=1)
            last = Event.objects.first_since(end + SLACK)
            rows = rows.filter(recorded_at__lt=end)
            rows = rows.filter(pk__lt=last) if last else rows
        return rows

    # --- exports ------------------------------------------------------------------------------------------

    def each(self) -> Iterator[tuple[Any, ...]]:
        """Every row that matches, the newest first, as COLUMNS; some at a time."""
        after: int | None = None
        while ids := self._ids(table_export.ROWS, older_than=after):
            for row in self._read(ids):
                event = row.event
                yield (
                    *(event.position, event.recorded_at, event.occurred_at, event.kind, row.who, row.what),
                    *(event.address, row.source, row.object_kind, row.object_id, row.object_name),
                    *(event.from_status, event.to_status, event.detail, event.delivery_id),
                    *(event.pk, event.previous_hash, event.hash),
                )
            after = ids[-1]

    def _url(self, terms: Mapping[str, Any]) -> str:
        return with_query(reverse("audit"), terms)


def _object(text: str) -> tuple[str, str]:
    """(type, id) of what was typed: an id or an address that has one, or type:id as the rows' own links have it."""
    kind, _, wanted = text.partition(":")
    # Such an id may be a UUID too.
    if wanted and kind not in FOUND_BY_ID and kind in {each._meta.model_name for each in apps.get_models()}:
        return kind, wanted
    found = UUID.search(text)
    if found:
        return "", str(uuid.UUID(found[0]))
    return (kind, wanted) if wanted else ("", text)
