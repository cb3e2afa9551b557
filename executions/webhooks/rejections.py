"""Counts what the receiver refuses. Nothing is written while it is refused: the counts go to the database now and then."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F
from django.utils import timezone

from executions.models import Rejection

# How much of a refused body is kept to look at.
SAMPLE = 500  # bytes
FLUSH = 30.0  # seconds


@dataclass
class Count:
    number: int
    last_at: datetime
    sample: dict[str, Any]


_counts: dict[tuple[str, datetime], Count] = {}
_lock = threading.Lock()


def count(reason: str, *, address: str, length: int, body: bytes = b"") -> None:
    """One more. Costs the same however many there are."""
    now = timezone.now()
    key = (reason, now.replace(minute=0, second=0, microsecond=0))
    sample = {
        "address": address[:64],
        "bytes": length,
        "begins": body[:SAMPLE].decode(errors="replace").replace("\x00", "\N{REPLACEMENT CHARACTER}"),
    }
    with _lock:
        known = _counts.get(key)
        if known is None:
            _counts[key] = Count(1, now, sample)
        else:
            known.number += 1
            known.last_at, known.sample = now, sample


def flush() -> None:
    """Add what was counted to the database's counts."""
    with _lock:
        counted = dict(_counts)
        _counts.clear()
    for (reason, hour), count in counted.items():
        row, _ = Rejection.objects.get_or_create(
            reason=reason, hour=hour, defaults={"last_at": count.last_at}
        )
        Rejection.objects.filter(pk=row.pk).update(
            count=F("count") + count.number, last_at=count.last_at, sample=count.sample
        )


_flushed_at = 0.0  # monotonic


def is_due() -> bool:
    """Whether it is time to write the counts; says so once, to whoever asks first."""
    global _flushed_at
    if not _counts or time.monotonic() - _flushed_at < FLUSH:
        return False
    _flushed_at = time.monotonic()
    return True
