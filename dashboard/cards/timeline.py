"""A job's timeline: where the time went, drawn to scale, and every event with its source."""

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
from executions.webhooks import deliveries


@dataclass(frozen=True)
class Lane:
    """One phase of a job: `x` and `width` in percent of the whole, `seconds` its duration."""

    label: str
    hue: str
    x: float
    width: float
    seconds: float


@dataclass(frozen=True)
class EventLine:
    """One event. `step` is the time since the previous event (seconds), `x` its position (percent)."""

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
    events: tuple[EventLine, ...]
    seconds: float
    """From the creation here to the end, or to now."""
    reported_by: str
    """Whether a webhook or a poll reported the end first, and by how much; empty if neither did."""


def timeline(execution: Execution, audience: str) -> Timeline:
    """A job's timeline for its page, in two queries."""
    events = list(execution.events.select_related("actor", "delivery"))
    whole = max(_seconds(execution.created_at, execution.ended_at or timezone.now()), 0.001)
    return Timeline(
        tuple(_lanes(execution, events, whole)),
        tuple(_lines(execution, events, audience, whole)),
        whole,
        _reported_by(execution, events),
    )


def _seconds(first: datetime, last: datetime) -> float:
    return (last - first).total_seconds()


# --- the drawing ------------------------------------------------------------------------------------------


def _lanes(execution: Execution, events: Sequence[Event], whole: float) -> Iterator[Lane]:
    """The phases: in Rushes, queued at VideoGen, and each attempt; a phase lasts until the next one or now."""
    end = execution.ended_at or timezone.now()
    phases: list[tuple[str, str, datetime | None, datetime]] = [
        ("In Rushes", statuses.QUEUED, execution.created_at, execution.accepted_at or end),
        ("Queued at VideoGen", statuses.PENDING, execution.accepted_at, execution.running_at or end),
    ]
    if execution.running_at is not None:
        begins = [(0, execution.running_at), *_attempts(events, execution.running_at)]
        ends = [at for _, at in begins[1:]] + [end]
        for (attempt, begin), finish in zip(begins, ends, strict=True):
            label = "Running" if len(begins) == 1 else f"Attempt {attempt + 1}"
            phases.append((label, statuses.RUNNING, begin, finish))
    for label, hue, began, finish in phases:
        if began is None:
            continue
        # Clocks may disagree about the order: clamp each phase to the drawing, and never let it be negative.
        first = min(max(_seconds(execution.created_at, began), 0.0), whole)
        last = min(max(_seconds(execution.created_at, finish), first), whole)
        yield Lane(label, hue, 100 * first / whole, 100 * (last - first) / whole, last - first)


def _attempts(events: Sequence[Event], running_at: datetime) -> list[tuple[int, datetime]]:
    """The attempts after the first, each with the time of its first report."""
    found: dict[int, datetime] = {}
    for event in events:
        number = event.detail.get("attempt") if event.kind in (Kind.ATTEMPT, Kind.STATUS) else None
        if isinstance(number, int) and number > 0 and event.occurred_at >= running_at:
            found.setdefault(number, event.occurred_at)
    return sorted(found.items())


def _lines(execution: Execution, events: Sequence[Event], audience: str, whole: float) -> Iterator[EventLine]:
    before: datetime | None = None
    for event in events:
        at = min(max(_seconds(execution.created_at, event.occurred_at), 0.0), whole)
        yield EventLine(
            event.pk,
            event.occurred_at,
            statuses.badge(event.to_status) if event.to_status != event.from_status else None,
            _text(event, audience, execution),
            SOURCE_LABELS[Source(event.source)],
            _detail(event),
            100 * at / whole,
            None if before is None else max(0.0, _seconds(before, event.occurred_at)),
            reverse("delivery", args=[event.delivery_id]) if event.delivery_id else "",
        )
        before = event.occurred_at


# --- webhook or poll --------------------------------------------------------------------------------------


def _reported_by(execution: Execution, events: Sequence[Event]) -> str:
    end = next((each for each in events if _is_end(each)), None)
    if end is None or execution.remote_id is None or end.source not in (Source.WEBHOOK, Source.POLL):
        return ""
    if end.source == Source.WEBHOOK:
        delay = None if end.delivery is None else end.delivery.delay
        return "Reported by webhook." if delay is None else f"Reported by webhook after {brief(delay)}."
    received_at = deliveries.finish_received_at(execution)
    if received_at is None:
        return "Reported by polling; no webhook has arrived."
    return f"Reported by polling; the webhook arrived {brief(max(0.0, _seconds(end.recorded_at, received_at)))} later."


def _is_end(event: Event) -> bool:
    return event.to_status in statuses.TERMINAL and event.from_status != event.to_status


def brief(seconds: float) -> str:
    """A short duration: 35 ms, 1.2 s."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


# --- texts ------------------------------------------------------------------------------------------------


def _text(event: Event, audience: str, execution: Execution) -> str:
    who = ""
    if event.actor is not None:
        mine = audience == OWNER and event.actor_id == execution.created_by_id
        who = "you" if mine else event.actor.get_username()
    by = f" by {who}" if who else ""
    match event.kind:
        case Kind.STARTED:
            return f"started{by}"
        case Kind.SENT:
            return "sent to VideoGen"
        case Kind.POSTPONED:
            return f"not sent: {event.detail.get('reason', '')}"
        case Kind.ATTEMPT:
            return f"VideoGen started attempt {int(event.detail.get('attempt') or 0) + 1}"
        case Kind.CANCEL_REQUESTED:
            return f"cancel requested{by}"
        case Kind.CANCEL_REFUSED:
            return f"cancel request{by} denied: not permitted"
        case Kind.PAUSED:
            return f"paused{by}"
        case Kind.RESUMED:
            return f"resumed{by}"
        case Kind.MOVED_TO_FRONT:
            return f"moved to front{by}"
        case Kind.EDITED:
            return f"edited{by}: {_changed(event)}"
        case Kind.CANCEL_NOTED:
            return "VideoGen accepted the cancel request"
        case Kind.COMMENTED:
            return f"{'comment withdrawn' if event.detail.get('withdrawn') else 'comment added'}{by}"
    return _status_text(event, by)


def _changed(event: Event) -> str:
    """The names of the settings that an edit changed."""
    before, after = event.detail.get("before") or {}, event.detail.get("after") or {}
    names = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
    return ", ".join(names) or "nothing"


def _status_text(event: Event, by: str) -> str:
    match event.to_status:
        case statuses.PENDING if event.detail.get("remote_id"):
            return f"accepted by VideoGen as {event.detail['remote_id']}"
        case statuses.UNCONFIRMED:
            return f"the response was lost: {event.detail.get('reason', '')}"
        case statuses.SUCCEEDED:
            count: Any = event.detail.get("results", 0)
            return f"succeeded, {count} result{'' if count == 1 else 's'}"
        case statuses.CANCELLED if event.from_status == statuses.QUEUED:
            return f"cancelled{by} before it was sent"
    return statuses.badge(event.to_status).label


def _detail(event: Event) -> str:
    """The delay of the webhook that reported it; empty without a webhook."""
    if event.delivery is None or event.delivery.delay is None:
        return ""
    return f"after {brief(event.delivery.delay)}"
