"""Counts the requests that the receiver rejects. They are counted in memory and written to the database now and then."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from executions.models import Rejection

# How much of a rejected body is stored as a sample.
SAMPLE_BYTES = 500
FLUSH_INTERVAL = 30.0  # seconds


@dataclass
class HourlyCount:
    number: int
    last_at: datetime
    sample: dict[str, Any]


_counts: dict[tuple[str, datetime], HourlyCount] = {}
_lock = threading.Lock()


def count(reason: str, *, address: str, length: int, body: bytes = b"") -> None:
    """Count one rejection, at constant cost."""
    now = timezone.now()
    key = (reason, now.replace(minute=0, second=0, microsecond=0))
    sample = {
        "address": address[:64],
        "bytes": length,
        "begins": body[:SAMPLE_BYTES].decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}"),
    }
    with _lock:
        counted = _counts.get(key)
        if counted is None:
            _counts[key] = HourlyCount(1, now, sample)
        else:
            counted.number += 1
            counted.last_at, counted.sample = now, sample


def flush() -> None:
    """Add the counts to the database."""
    with _lock:
        counts = dict(_counts)
        _counts.clear()
    for (reason, hour), count in counts.items():
        row, _ = Rejection.objects.get_or_create(
            reason=reason, hour=hour, defaults={"last_at": count.last_at}
        )
        Rejection.objects.filter(pk=row.pk).update(
            count=F("count") + count.number, last_at=count.last_at, sample=count.sample
        )


def latest(since: datetime, limit: int) -> list[Rejection]:
    """The stored counts since then, the latest hour first."""
    return list(Rejection.objects.filter(hour__gte=since).order_by("-hour", "reason")[:limit])


_flushed_at = 0.0  # monotonic


def is_due() -> bool:
    """Whether the counts are due to be written. True for one caller per FLUSH_INTERVAL."""
    global _flushed_at
    if not _counts or time.monotonic() - _flushed_at < FLUSH_INTERVAL:
        return False
    _flushed_at = time.monotonic()
    return True
