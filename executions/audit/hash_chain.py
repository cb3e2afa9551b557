"""One link of the chain: what an event says, as one text, and the hash that ties it to the event before."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from executions.models import Event, Summary

# Everything that an event says; the first word of the text names this very list.
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
    """The end of the chain, or of a part of it."""

    position: int
    hash: str


GENESIS = Head(0, "0" * 64)


def text(position: int, previous_hash: str, said: Sequence[Any]) -> str:
    """What is hashed: canonical JSON, the same for the same event on every database."""
    return _encoder.encode([FORMAT, position, previous_hash, *said])


def digest(position: int, previous_hash: str, said: Sequence[Any]) -> str:
    """`said` is the event's COLUMNS as the database gives them back."""
    return hashlib.sha256(text(position, previous_hash, said).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: object) -> str:
    match value:
        case datetime():
            return value.isoformat(timespec="microseconds")
        case uuid.UUID():
            return str(value)
    raise TypeError(f"an event cannot say {value!r}")


# Made once: json.dumps with these arguments would make one for each event.
_encoder = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=_plain)


def head() -> Head:
    """Where the chain ends now."""
    return max(pruned_head(), _sealed_head(), key=lambda each: each.position)


def pruned_head() -> Head:
    """Where what is still there begins: behind what the retention rule removed."""
    last = Summary.objects.order_by("-last_position").first()
    return Head(last.last_position, last.last_hash) if last else GENESIS


def _sealed_head() -> Head:
    last = Event.objects.sealed().order_by("-position").only("position", "hash").first()
    return Head(last.position or 0, last.hash) if last else GENESIS
