"""Hourly limits: the groups that VideoGen counts in, and what an answer's headers say about them (docs/api-notes.md#rate-limits)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

from executions.videogen import fields as wire_fields

# Windows are an hour long; a wait that claims to be longer than a day is a mistake.
LONGEST_WAIT = 24 * 60 * 60.0
# Clocks that differ by no more than this (seconds) are the same: a Date tells whole seconds, and answers take time.
SAME_CLOCK = 5.0

# A limit that claims to be larger is none.
MOST_CALLS = 1_000_000_000

_DIGITS = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")


class Group(StrEnum):
    """Those with a documented limit, and others that are counted somehow."""

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
    """What was left of a group's calls when its last answer was written; each may be unknown."""

    limit: int | None
    remaining: int | None
    reset_at: datetime | None


def rate_limit(headers: Mapping[str, str], now: float) -> RateLimit | None:
    """None when the answer does not say. `now` is our Unix seconds: the reset is told by our clock, not by theirs."""
    limit = _digits(headers.get("X-RateLimit-Limit"))
    remaining = _digits(headers.get("X-RateLimit-Remaining"))
    if limit is None and remaining is None:
        return None
    reset = _digits(headers.get("X-RateLimit-Reset"))
    service_now = _http_date(headers.get("Date", ""))
    if reset is not None and service_now is not None and abs(service_now - now) > SAME_CLOCK:
        reset += now - service_now
    reset_at = wire_fields.moment(reset)
    return RateLimit(limit=_count(limit), remaining=_count(remaining), reset_at=reset_at)


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds to wait after a 429: by Retry-After, else by X-RateLimit-Reset, else None. `now`: Unix seconds.

    A point in time is compared with the answer's own Date where it has one: our clock may be wrong.
    """
    said = headers.get("Retry-After", "")
    seconds = _digits(said)
    if seconds is not None:
        return min(seconds, LONGEST_WAIT)
    service_now = _http_date(headers.get("Date", ""))
    if service_now is None:
        service_now = now
    until = _http_date(said)
    if until is not None:
        return min(max(0.0, until - service_now), LONGEST_WAIT)
    reset = _digits(headers.get("X-RateLimit-Reset"))
    # A reset that lies behind us says nothing; zero would be an invitation to ask at once, again and again.
    if reset is not None and reset > service_now:
        return min(reset - service_now, LONGEST_WAIT)
    return None


def _digits(value: str | None) -> float | None:
    # A header that was sent twice arrives joined by a comma.
    first = (value or "").split(",")[0].strip()
    return float(first) if _DIGITS.fullmatch(first) else None


def _count(number: float | None) -> int | None:
    return None if number is None else min(int(number), MOST_CALLS)


def _http_date(value: str) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
