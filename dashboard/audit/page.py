"""The audit log: its filters, one page of it with keyset paging in both directions, and the rows of an export."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from django.apps import apps
from django.urls import reverse

from dashboard.audit.wording import FOUND_BY_ID, KIND_GROUPS, AuditEntry
from dashboard.cards.sources import SOURCE_LABELS
from dashboard.http import table_export
from dashboard.http.params import MAX_USER_ID, as_day, as_id, as_number, ignored_values
from dashboard.http.query_urls import query_string, with_query
from executions.audit.search import EventFilters
from executions.core import keyset
from executions.models import Event
from executions.models.event import KINDS
from executions.team import members

PAGE_SIZE = 50
MAX_PEOPLE = 500
MAX_LENGTH = 200  # characters of a filter's value
UUID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
FILTERS = ("actor", "group", "kind", "source", "object", "address", "since", "until", "q")
COLUMNS = (
    *("position", "recorded_at", "occurred_at", "kind", "who", "what", "address", "source"),
    *("object_kind", "object_id", "object_name", "from_status", "to_status", "detail", "delivery_id"),
    *("event_id", "previous_hash", "hash"),
)


class AuditQuery:
    """The filters of a URL, and the events that match them. Invalid parameters are ignored and listed."""

    def __init__(self, query: Mapping[str, str]) -> None:
        given = {
            name: " ".join(query.get(name, "").replace("\x00", " ").split())[:MAX_LENGTH] for name in FILTERS
        }
        self.actor = as_number(given["actor"], MAX_USER_ID)
        self.group = given["group"] if given["group"] in KIND_GROUPS else ""
        self.kind = given["kind"] if given["kind"] in dict(KINDS) else ""
        self.source = given["source"] if given["source"] in SOURCE_LABELS else ""
        self.object, self.address, self.q = given["object"], given["address"], given["q"]
        self.since, self.until = as_day(given["since"]), as_day(given["until"])
        self._given = {name: value for name, value in given.items() if value}

    @property
    def terms(self) -> dict[str, str]:
        """The active filters, as in the URL."""
        found = {name: getattr(self, name) for name in FILTERS}
        return {name: str(value) for name, value in found.items() if value}

    @property
    def ignored_message(self) -> str:
        return ignored_values([each for name, each in self._given.items() if not getattr(self, name)])

    def _read(self, ids: Sequence[int]) -> list[AuditEntry]:
        """These events, newest first."""
        large_columns = (
            "execution__request_body",
            "execution__start_answer",
            "execution__last_answer",
            "file__snapshot",
        )
        rows = Event.objects.select_related("actor", "execution", "file").defer(*large_columns)
        events = rows.in_bulk(ids)
        return [AuditEntry(events[pk]) for pk in sorted(events, reverse=True)]

    @cached_property
    def _filters(self) -> EventFilters:
        kinds = (self.kind,) if self.kind else KIND_GROUPS[self.group][1] if self.group else ()
        return EventFilters(
            actor_id=self.actor,
            kinds=kinds,
            source=self.source,
            subject=_object(self.object) if self.object else None,
            address=self.address,
            words=tuple(self.q.split()),
            since=self.since,
            until=self.until,
        )

    def each(self) -> Iterator[tuple[Any, ...]]:
        """Every matching row as COLUMNS, newest first, read in chunks."""
        after: int | None = None
        while ids := self._filters.ids(table_export.CHUNK_ROWS, after):
            for row in self._read(ids):
                event = row.event
                yield (
                    *(event.position, event.recorded_at, event.occurred_at, event.kind, row.who, row.what),
                    *(event.address, row.source, row.object_kind, row.object_id, row.object_name),
                    *(event.from_status, event.to_status, event.detail, event.delivery_id),
                    *(event.pk, event.previous_hash, event.hash),
                )
            after = ids[-1]


class AuditPage(AuditQuery):
    """The matching events older than `after`, or newer than `before` (ids), and the choices of the filters."""

    def __init__(self, query: Mapping[str, str]) -> None:
        super().__init__(query)
        self.after, self.before = as_id(query.get("after", "")), as_id(query.get("before", ""))
        self.choices = self._choices()
        if self.before:
            page = keyset.cut(self._filters.ids(PAGE_SIZE + 1, self.before, by="pk"), PAGE_SIZE)
            self.has_newer, self.has_older = page.has_more, True
        else:
            page = keyset.cut(self._filters.ids(PAGE_SIZE + 1, self.after), PAGE_SIZE)
            self.has_newer, self.has_older = self.after is not None, page.has_more
        self.rows = self._read(page.rows)

    def _choices(self) -> list[tuple[str, str, list[tuple[str, str, bool]]]]:
        """(query parameter, label, choices as (value, label, whether selected))."""
        people = members.usernames(MAX_PEOPLE)
        options_by_filter = {
            "actor": ("Person", [(str(pk), name) for pk, name in people.items()]),
            "group": ("What", [(name, word) for name, (word, _) in KIND_GROUPS.items()]),
            "source": ("Source", [(str(value), word) for value, word in SOURCE_LABELS.items()]),
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
            for name, (label, options) in options_by_filter.items()
        ]

    @property
    def without_kind_url(self) -> str:
        return self._url({name: value for name, value in self.terms.items() if name != "kind"})

    @property
    def next_url(self) -> str:
        if not self.rows or not self.has_older:
            return ""
        return self._url({**self.terms, "after": self.rows[-1].event.pk})

    @property
    def previous_url(self) -> str:
        if not self.rows or not self.has_newer:
            return ""
        return self._url({**self.terms, "before": self.rows[0].event.pk})

    @property
    def export_query(self) -> str:
        return query_string(self.terms)

    def _url(self, terms: Mapping[str, Any]) -> str:
        return with_query(reverse("audit"), terms)


def _object(text: str) -> tuple[str, str]:
    """(type, id) from the filter's text: an id, a URL that contains one, or type:id as in the rows' links."""
    kind, _, wanted = text.partition(":")
    # The id after a type may be a UUID too, so this comes first.
    if wanted and kind not in FOUND_BY_ID and kind in {each._meta.model_name for each in apps.get_models()}:
        return kind, wanted
    found = UUID.search(text)
    if found:
        return "", str(uuid.UUID(found[0]))
    return (kind, wanted) if wanted else ("", text)
