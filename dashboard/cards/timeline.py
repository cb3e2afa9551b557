"""A job's story for its page: where the time went, drawn to scale, and every event with its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone

from dashboard.cards.job import OWNER
from dashboard.cards.sources import SOURCE_LABELS
from executions import statuses
from executions.models import Event, Execution
from executions.models.event import Kind, Source
from executions.statuses import StatusBadge

# As many ends, from one job, as webhooks may tell of: the first that came is the one that counts.
ENDS_BY_WEBHOOK = "tool_execution."


@dataclass(frozen=True)
class Lane:
    """One stretch of time: where it lies in the whole (percent), and how long it was (seconds)."""

    label: str
    hue: str
    x: float
    width: float
    seconds: float


@dataclass(frozen=True)
class Line:
    """One event in words. `step` is how long after the one before (seconds), `x` where it lies (percent)."""

    id: int
    at: datetime
    badge: StatusBadge | None
    text: str
    source: str
    detail: str
    x: float
    step: float | None
    delivery_url: str


@dataclass(frozen=True)
class Timeline:
    lanes: tuple[Lane, ...]
    events: tuple[Line, ...]
    seconds: float
    """From the start here to the end, or to now."""
    race: str
    """Whether the webhook or our asking told of the end first, and by how much; empty before it, or without a race."""


def timeline(execution: Execution, audience: str) -> Timeline:
    """In two queries."""
    events = list(execution.events.select_related("actor", "delivery"))
    whole = max(_seconds(execution.created_at, execution.ended_at or timezone.now()), 0.001)
    return Timeline(
        tuple(_lanes(execution, events, whole)),
        tuple(_lines(execution, events, audience, whole)),
        whole,
        race(execution, events),
    )


def _seconds(first: datetime, last: datetime) -> float:
    return (last - first).total_seconds()


# --- the drawing ------------------------------------------------------------------------------------------


def _lanes(execution: Execution, events: Sequence[Event], whole: float) -> Iterator[Lane]:
    """Waiting with us, waiting there, running attempt by attempt: each to the next one's beginning, or to now."""
    end = execution.ended_at or timezone.now()
    stretches: list[tuple[str, str, datetime | None, datetime]] = [
        ("with us", statuses.QUEUED, execution.created_at, execution.accepted_at or end),
        ("waiting there", statuses.PENDING, execution.accepted_at, execution.running_at or end),
    ]
    if execution.running_at is not None:
        begins = [(0, execution.running_at), *_attempts(events, execution.running_at)]
        ends = [at for _, at in begins[1:]] + [end]
        for (attempt, begin), finish in zip(begins, ends, strict=True):
            label = "running" if len(begins) == 1 else f"attempt {attempt + 1}"
            stretches.append((label, statuses.RUNNING, begin, finish))
    for label, hue, began, finish in stretches:
        if began is None:
            continue
        # Clocks may disagree about the order; a stretch is never negative and never leaves the drawing.
        first = min(max(_seconds(execution.created_at, began), 0.0), whole)
        last = min(max(_seconds(execution.created_at, finish), first), whole)
        yield Lane(label, hue, 100 * first / whole, 100 * (last - first) / whole, last - first)


def _attempts(events: Sequence[Event], running_at: datetime) -> list[tuple[int, datetime]]:
    """The later attempts, and when each began as far as we were told."""
    found: dict[int, datetime] = {}
    for event in events:
        number = event.detail.get("attempt") if event.kind in (Kind.ATTEMPT, Kind.STATUS) else None
        if isinstance(number, int) and number > 0 and event.occurred_at >= running_at:
            found.setdefault(number, event.occurred_at)
    return sorted(found.items())


def _lines(execution: Execution, events: Sequence[Event], audience: str, whole: float) -> Iterator[Line]:
    before: datetime | None = None
    for event in events:
        at = min(max(_seconds(execution.created_at, event.occurred_at), 0.0), whole)
        yield Line(
            event.pk,
            event.occurred_at,
            statuses.badge(event.to_status) if event.to_status != event.from_status else None,
            _words(event, audience, execution),
            SOURCE_LABELS[Source(event.source)],
            _detail(event),
            100 * at / whole,
            None if before is None else max(0.0, _seconds(before, event.occurred_at)),
            reverse("delivery", args=[event.delivery_id]) if event.delivery_id else "",
        )
        before = event.occurred_at


# --- who was first ----------------------------------------------------------------------------------------


def race(execution: Execution, events: Sequence[Event]) -> str:
    end = next((each for each in events if _is_end(each)), None)
    if end is None or execution.remote_id is None or end.source not in (Source.WEBHOOK, Source.POLL):
        return ""
    if end.source == Source.WEBHOOK:
        late = (
            ""
            if end.delivery is None or end.delivery.delay is None
            else f", {brief(end.delivery.delay)} after it was so"
        )
        return f"The webhook was first{late}: nobody had to ask any more."
    webhooks = execution.deliveries.filter(event__startswith=ENDS_BY_WEBHOOK).order_by("id")
    came: datetime | None = webhooks.values_list("received_at", flat=True).first()
    if came is None:
        return "Asking was first: no webhook has told of the end."
    return f"Asking was first: the webhook came {brief(max(0.0, _seconds(end.recorded_at, came)))} later."


def _is_end(event: Event) -> bool:
    return event.to_status in statuses.TERMINAL and event.from_status != event.to_status


def brief(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


# --- in words ---------------------------------------------------------------------------------------------


def _words(event: Event, audience: str, execution: Execution) -> str:
    who = ""
    if event.actor is not None:
        mine = audience == OWNER and event.actor_id == execution.created_by_id
        who = "you" if mine else event.actor.get_username()
    match event.kind:
        case Kind.STARTED:
            return f"{who or 'somebody'} started it"
        case Kind.SENT:
            return "sent to VideoGen"
        case Kind.POSTPONED:
            return f"not taken: {event.detail.get('reason', '')}"
        case Kind.ATTEMPT:
            return f"VideoGen began attempt {int(event.detail.get('attempt') or 0) + 1}"
        case Kind.CANCEL_REQUESTED:
            return f"{who or 'somebody'} asked to cancel it"
        case Kind.CANCEL_REFUSED:
            return f"{who or 'somebody'} wanted to cancel it, but may not"
        case Kind.PAUSED:
            return f"{who or 'somebody'} paused it"
        case Kind.RESUMED:
            return f"{who or 'somebody'} resumed it"
        case Kind.MOVED_TO_FRONT:
            return f"{who or 'somebody'} moved it to the front"
        case Kind.EDITED:
            return f"{who or 'somebody'} changed what is asked for: {_changed(event)}"
        case Kind.CANCEL_NOTED:
            return "VideoGen noted the wish to cancel"
        case Kind.COMMENTED:
            return f"{who or 'somebody'} {'withdrew a comment' if event.detail.get('withdrawn') else 'commented'}"
    return _status_words(event, who)


def _changed(event: Event) -> str:
    """The names of what an edit changed."""
    before, after = event.detail.get("before") or {}, event.detail.get("after") or {}
    names = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
    return ", ".join(names) or "nothing"


def _status_words(event: Event, who: str) -> str:
    match event.to_status:
        case statuses.PENDING if event.detail.get("remote_id"):
            return f"accepted as {event.detail['remote_id']}"
        case statuses.UNCONFIRMED:
            return f"the answer was lost: {event.detail.get('reason', '')}"
        case statuses.SUCCEEDED:
            count: Any = event.detail.get("results", 0)
            return f"succeeded, {count} result{'' if count == 1 else 's'}"
        case statuses.CANCELLED if event.from_status == statuses.QUEUED:
            return f"{who + ' cancelled it' if who else 'cancelled'} before it was sent"
    return statuses.badge(event.to_status).label


def _detail(event: Event) -> str:
    """How long the news took to reach us, where it came as a webhook."""
    if event.delivery is None or event.delivery.delay is None:
        return ""
    return f"{brief(event.delivery.delay)} after it was so"
