"""Finds the events of the audit log that match its filters, in a time that hardly depends on their number."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property

from executions.core import database, keyset
from executions.models import Event
from executions.models.event import KINDS, EventQuerySet, Source

# Ids are in order of time, except for events written at about the same time. An hour is far more than that.
ID_TIME_SLACK = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class EventFilters:
    """An event has to pass all of them; empty ones pass every event."""

    actor_id: int | None = None
    kinds: tuple[str, ...] = ()
    source: str = ""
    subject: tuple[str, str] | None = None
    """Its type, which may be empty, and its id (EventQuerySet.about)."""
    address: str = ""
    words: tuple[str, ...] = ()
    """Parts of the name of the event's subject."""
    since: date | None = None
    until: date | None = None
    """The first and the last day, in UTC."""

    def ids(self, size: int, after: int | None = None, *, by: str = "-pk") -> list[int]:
        """The ids of the first `size` events that follow `after`, in the order of `by`."""
        rows = keyset.beyond(self._matching, after, by)
        has_index_by_kind = self.actor_id or self.source or self.address
        if self.subject or self.words:
            queries = [rows.filter(kind__in=self.kinds) if self.kinds else rows]
        elif self.kinds or has_index_by_kind:
            # One query per kind, each in the order of an index; a single query would have to sort.
            queries = [rows.of_kind(kind) for kind in self.kinds or dict(KINDS)]
            if not has_index_by_kind:
                queries = [each.from_source(source) for each in queries for source in Source]
        else:
            queries = [rows]
        return database.ids_of_any([each.values_list("pk")[:size] for each in queries], by)[:size]

    @cached_property
    def _matching(self) -> EventQuerySet:
        rows = Event.objects.all()
        if self.actor_id:
            rows = rows.filter(actor=self.actor_id)
        if self.source:
            rows = rows.from_source(self.source)
        if self.subject:
            rows = rows.about(*self.subject)
        if self.address:
            rows = rows.from_address(self.address)
        for word in self.words:
            rows = rows.name_contains(word)
        return self._in_time(rows)

    def _in_time(self, rows: EventQuerySet) -> EventQuerySet:
        if self.since:
            begin = datetime.combine(self.since, time.min, UTC)
            first = Event.objects.first_since(begin - ID_TIME_SLACK)
            rows = rows.filter(recorded_at__gte=begin, pk__gte=first or 0)
        if self.until:
            end = datetime.combine(self.until, time.min, UTC) + timedelta(days=1)
            last = Event.objects.first_since(end + ID_TIME_SLACK)
            rows = rows.filter(recorded_at__lt=end)
            rows = rows.filter(pk__lt=last) if last else rows
        return rows
