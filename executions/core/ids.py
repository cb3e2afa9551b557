"""Public ids: UUIDs of version 7 (RFC 9562), which sort by the time they were made."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

_lock = threading.Lock()
_last = 0


def uuid7() -> uuid.UUID:
    """A new id. Within one process ids only ever grow, even when the clock steps back or stands still.

    48 bits of Unix milliseconds, 12 bits that count within one, 62 random bits.
    """
    global _last
    with _lock:
        # Time and counter form one number: a 13th bit of the counter simply moves the clock on.
        _last = max(_last + 1, (time.time_ns() // 1_000_000) << 12)
        stamp = _last
    return _made(stamp)


def uuid7_at(milliseconds: int) -> uuid.UUID:
    """A new id for what was made at that time (Unix milliseconds). Two of one millisecond have no order."""
    return _made(milliseconds << 12)


def first_at(at: datetime) -> uuid.UUID:
    """The least id that what was made at that time can have: a bound for a range of ids."""
    return uuid.UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def read(given: Iterable[Sequence[Any]]) -> list[uuid.UUID]:
    """The ids that a statement of our own gives, a row each: PostgreSQL knows UUIDs, SQLite has their hex digits."""
    return [each if isinstance(each, uuid.UUID) else uuid.UUID(each) for (each,) in given]


def _made(stamp: int) -> uuid.UUID:
    value = (stamp >> 12) << 80
    value |= 0x7 << 76
    value |= (stamp & 0xFFF) << 64
    value |= 0b10 << 62
    value |= int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=value)
