"""Hourly rate limits: VideoGen's groups of endpoints, and the headers that report them (docs/api-notes.md#rate-limits)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from executions.videogen import wire_fields

# Seconds. Windows are an hour long, so a wait of more than a day is an error.
MAX_WAIT = 24 * 60 * 60.0
# Clocks that differ by no more than this (seconds) count as equal: Date has whole seconds, and responses take time.
SAME_CLOCK = 5.0

# Higher counts are capped.
MAX_CALLS = 1_000_000_000

_DIGITS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


class Group(StrEnum):
    """The groups with a documented limit, and others without one."""

    TOOLS = "POST /v1/tools/*"
    EXECUTION = "GET /v1/tools/executions/{id}"
    CANCEL = "POST /v1/tools/executions/{id}/cancel"
    FILES = "GET /v1/files and GET /v1/files/{id}"
    HYDRATE = "POST /v1/files/{id}/hydrate"
    RESOURCES = "GET /v1/resources/*"
    ENDPOINTS = "GET /v1/webhooks/endpoints"
    CREATE_ENDPOINT = "POST /v1/webhooks/endpoints"
    DELETE_ENDPOINT = "DELETE /v1/webhooks/endpoints/{id}"
    EXECUTIONS = "GET /v1/tools/executions"
    ME = "GET /v1/me"
    UPLOAD = "POST /v1/files/upload"
    SEARCH = "POST /v1/files/search"
    ARCHIVE = "POST /v1/files/{id}/archive"
    PREVIEW = "POST /v1/files/{id}/*-public-preview"


@dataclass(frozen=True)
class RateLimit:
    """A group's limit as reported by its latest response. Each value may be unknown."""

    limit: int | None
    remaining: int | None
    reset_at: datetime | None


def rate_limit(headers: Mapping[str, str], now: float) -> RateLimit | None:
    """The limit in response headers, or None if they have none.

    `now` is our clock in Unix seconds; the reset time is converted to it.
    """
    limit = _digits(headers.get("X-RateLimit-Limit"))
    remaining = _digits(headers.get("X-RateLimit-Remaining"))
    if limit is None and remaining is None:
        return None
    reset = _digits(headers.get("X-RateLimit-Reset"))
    service_now = _http_date(headers.get("Date", ""))
    if reset is not None and service_now is not None and abs(service_now - now) > SAME_CLOCK:
        reset += now - service_now
    reset_at = wire_fields.timestamp(reset)
    return RateLimit(limit=_count(limit), remaining=_count(remaining), reset_at=reset_at)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait after a 429: by Retry-After, else by X-RateLimit-Reset, else None. `now`: Unix seconds.

    A point in time is compared with the response's Date header if it has one, since our clock may be wrong.
    """
    header = headers.get("Retry-After", "")
    seconds = _digits(header)
    if seconds is not None:
        return min(seconds, MAX_WAIT)
    service_now = _http_date(headers.get("Date", ""))
    if service_now is None:
        service_now = now
    until = _http_date(header)
    if until is not None:
        return min(max(0.0, until - service_now), MAX_WAIT)
    reset = _digits(headers.get("X-RateLimit-Reset"))
    # A reset in the past is ignored: a wait of zero would mean retrying at once, again and again.
    if reset is not None and reset > service_now:
        return min(reset - service_now, MAX_WAIT)
    return None


def _digits(value: str | None) -> float | None:
    # A header that was sent twice arrives as one, joined by a comma.
    first = (value or "").split(",")[0].strip()
    return float(first) if _DIGITS.fullmatch(first) else None


def _count(number: float | None) -> int | None:
    return None if number is None else min(int(number), MAX_CALLS)


def _http_date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
