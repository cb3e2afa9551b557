"""Lenient readers for single fields: a value of the wrong type counts as missing (docs/api-notes.md#reading-responses).

The maximum lengths and bounds are those of the database columns that store the values.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

MAX_ID_LENGTH = 128
MAX_ENUM_LENGTH = 32
MAX_NAME_LENGTH = 64
MAX_URL_LENGTH = 8192
MAX_INTEGER = 2**31 - 1

_YEAR_2100 = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
_YEAR_9999 = datetime(9999, 1, 1, tzinfo=UTC).timestamp()
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def enum_value(value: Any, max_length: int = MAX_ENUM_LENGTH) -> str:
    """An enum value, known to us or not; "" if there is none."""
    return value if isinstance(value, str) and len(value) <= max_length else ""


def identifier(*candidates: Any) -> str | None:
    """The first candidate that is an id. Ids are opaque: only their length is checked (docs/api-notes.md#ids-and-times)."""
    for value in candidates:
        if isinstance(value, str) and 0 < len(value) <= MAX_ID_LENGTH and not value.isspace():
            return value
    return None


def number(value: Any, *, low: float = 0, high: float = math.inf) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        parsed = float(value)
    except OverflowError:
        return None
    return parsed if math.isfinite(parsed) and low <= parsed <= high else None


def integer(value: Any, *, low: int = 0) -> int | None:
    """A count or a size in pixels."""
    found = number(value, low=low, high=MAX_INTEGER)
    return int(found) if found is not None and found.is_integer() else None


def size(value: Any) -> int | None:
    """A size in bytes."""
    found = number(value, high=2**63 - 1025)
    return int(found) if found is not None else None


def flag(value: Any) -> bool:
    return value is True


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; other entries are skipped."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: Any) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def url(value: Any) -> str | None:
    """A web address. Other schemes (javascript:, data:) count as missing, since pages link to these URLs."""
    if not isinstance(value, str) or len(value) > MAX_URL_LENGTH:
        return None
    if not value.lower().startswith(("http://", "https://")) or not value.isprintable() or " " in value:
        return None
    return value


def timestamp(value: Any, *, latest: float = _YEAR_2100) -> datetime | None:
    """A time in Unix seconds, or ISO 8601 text, as `occurredAt` was in earlier API versions (docs/api-notes.md#ids-and-times).

    None if it is before 1970 or after `latest` (Unix seconds).
    """
    seconds = number(value, low=1, high=latest)
    if seconds is not None:
        return datetime.fromtimestamp(seconds, UTC)
    if not isinstance(value, str) or len(value) > 64:
        return None
    try:
        parsed = datetime.fromisoformat(value.strip())
        seconds = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
    return timestamp(seconds, latest=latest)


def expiry(value: Any) -> datetime | None:
    """An expiry; None means never. One that cannot be parsed counts as past, so that the URL is signed again."""
    return None if value is None else timestamp(value, latest=_YEAR_9999) or EPOCH
