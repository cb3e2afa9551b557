"""Lenient readers for single fields: a value of the wrong type counts as absent (docs/api-notes.md#reading-responses).

The lengths and bounds are those of the columns that the values end in.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

LONGEST_ID = 128
LONGEST_WORD = 32
LONGEST_NAME = 64
LONGEST_URL = 8192
LARGEST_INTEGER = 2**31 - 1

_YEAR_2100 = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
_YEAR_9999 = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def word(value: Any, longest: int = LONGEST_WORD) -> str:
    """An enum value, known to us or not; empty when there is none."""
    return value if isinstance(value, str) and len(value) <= longest else ""


def ident(*candidates: Any) -> str | None:
    """The first that is an id. Ids are opaque: nothing else is looked at (docs/api-notes.md#ids-and-times)."""
    for value in candidates:
        if isinstance(value, str) and 0 < len(value) <= LONGEST_ID and not value.isspace():
            return value
    return None


def number(value: Any, *, low: float = 0, high: float = math.inf) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) and low <= found <= high else None


def whole(value: Any, *, low: int = 0) -> int | None:
    """A count or a size in pixels."""
    found = number(value, low=low, high=LARGEST_INTEGER)
    return int(found) if found is not None and found.is_integer() else None


def size(value: Any) -> int | None:
    """A size in bytes."""
    found = number(value, high=2**63 - 1025)
    return int(found) if found is not None else None


def flag(value: Any) -> bool:
    return value is True


def table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def tables(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; what is no object, or no list, is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def words(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def url(value: Any) -> str | None:
    """A web address. Others (javascript:, data:) are never handed on: pages link to what stands here."""
    if not isinstance(value, str) or len(value) > LONGEST_URL:
        return None
    if not value.lower().startswith(("http://", "https://")) or not value.isprintable() or " " in value:
        return None
    return value


def moment(value: Any, *, latest: float = _YEAR_2100) -> datetime | None:
    """Unix seconds, or ISO 8601 text as `occurredAt` once was (docs/api-notes.md#ids-and-times); None when it is absurd."""
    seconds = number(value, low=1, high=latest)
    if seconds is not None:
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        found = datetime.fromisoformat(value.strip())
        seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return moment(seconds, latest=latest)


def expiry(value: Any) -> datetime | None:
    """None: never. An expiry that cannot be read is taken for past, so that the URL is signed anew."""
    return None if value is None else moment(value, latest=_YEAR_9999) or LONG_AGO
