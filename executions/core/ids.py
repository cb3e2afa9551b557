"""Public ids: UUIDs of version 7 (RFC 9562), which sort by creation time."""

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
    """A new id. Ids of one process always increase, even if the clock stops or steps back.

    48 bits of Unix milliseconds, a 12-bit counter within a millisecond, 62 random bits.
    """
    global _last
    with _lock:
        # Time and counter form one number: when the counter overflows, the time advances by a millisecond.
        _last = max(_last + 1, (time.time_ns() // 1_000_000) << 12)
        stamp = _last
    return _from_stamp(stamp)


def uuid7_at(milliseconds: int) -> uuid.UUID:
    """A new id for something created at that time (Unix milliseconds). Ids of the same millisecond have no order."""
    return _from_stamp(milliseconds << 12)


def first_at(at: datetime) -> uuid.UUID:
    """The lowest possible id of something created at that time: a bound for a range of ids."""
    return uuid.UUID(int=max(0, int(at.timestamp() * 1000)) << 80)


def as_uuid(text: str) -> uuid.UUID | None:
    """`text` as a UUID, or None if it is not one."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def from_rows(rows: Iterable[Sequence[Any]]) -> list[uuid.UUID]:
    """The ids in rows of raw SQL with one column: PostgreSQL returns UUIDs, SQLite their hexadecimal digits."""
    return [each if isinstance(each, uuid.UUID) else uuid.UUID(each) for (each,) in rows]


def _from_stamp(stamp: int) -> uuid.UUID:
    value = (stamp >> 12) << 80
    value |= 0x7 << 76
    value |= (stamp & 0xFFF) << 64
    value |= 0b10 << 62
    value |= int.from_bytes(os.urandom(8)) >> 2
    return uuid.UUID(int=value)
