"""One link of the hash chain: the canonical text of an event, and the hash that ties it to the event before it."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from executions.models import Event, Summary

# Version of the list of hashed columns. It is the first element of the text.
FORMAT = "rushes-event-1"
COLUMNS = (
    "id",
    "execution_id",
    "file_id",
    "subject_type",
    "subject_id",
    "subject_name",
    "kind",
    "from_status",
    "to_status",
    "source",
    "actor_id",
    "address",
    "delivery_id",
    "occurred_at",
    "recorded_at",
    "detail",
)
RECORDED_AT, KIND = COLUMNS.index("recorded_at"), COLUMNS.index("kind")


@dataclass(frozen=True)
class Head:
    """The last event of the chain, or of a part of it."""

    position: int
    hash: str


GENESIS = Head(0, "0" * 64)


def canonical_text(position: int, previous_hash: str, values: Sequence[Any]) -> str:
    """The hashed text: canonical JSON, the same for the same event on every database.

    `values` are the event's COLUMNS as the database returns them.
    """
    return _encoder.encode([FORMAT, position, previous_hash, *values])


def digest(position: int, previous_hash: str, values: Sequence[Any]) -> str:
    """The SHA-256 of the canonical text, in hexadecimal."""
    text = canonical_text(position, previous_hash, values)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _to_json(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat(timespec="microseconds")
        case uuid.UUID():
            return str(value)
    raise TypeError(f"an event cannot contain {value!r}")


# Built once: json.dumps with these arguments would build an encoder for each event.
_encoder = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_to_json)


def head() -> Head:
    """The current end of the chain."""
    return max(pruned_head(), _sealed_head(), key=lambda each: each.position)


def recorded_at(head: Head) -> datetime | None:
    """When the event at this position was recorded; None if it is not stored any more."""
    return Event.objects.filter(position=head.position).values_list("recorded_at", flat=True).first()


def pruned_head() -> Head:
    """The last event that retention removed: the stored chain continues from it."""
    last = Summary.objects.order_by("-last_position").first()
    return Head(last.last_position, last.last_hash) if last else GENESIS


def _sealed_head() -> Head:
    last = Event.objects.sealed().order_by("-position").only("position", "hash").first()
    return Head(last.position or 0, last.hash) if last else GENESIS
