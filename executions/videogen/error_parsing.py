"""Turns an answer that is not a success into the error that says so (docs/api-notes.md#errors)."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from executions.videogen import fields as wire_fields
from executions.videogen import safe_json
from executions.videogen.auth import BearerAuth
from executions.videogen.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    MalformedAnswer,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    VideoGenError,
)
from executions.videogen.rate_limits import retry_after
from executions.videogen.transport import Answer
from executions.videogen.wire import ApiError

LONGEST_MESSAGE = 1000

_BY_STATUS: dict[int, type[VideoGenError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}
# Said by whoever stands at another address; a 303 would mean that the request had its effect.
_MOVED = frozenset({301, 302, 307, 308})


def error_of(answer: Answer, auth: BearerAuth) -> VideoGenError:
    """Decided by the status, then the code, never by the message."""
    raw = _body(answer, auth)
    told = ApiError.from_wire(raw) if isinstance(raw, dict) and wire_fields.text(raw.get("message")) else None
    fields = wire_fields.table(raw)
    known: dict[str, Any] = {
        "status": answer.status,
        "code": wire_fields.text(fields.get("code")),
        "requirement": wire_fields.table(fields.get("requirement")) or None,
        "internal_error_code": wire_fields.text(fields.get("internalErrorCode")),
        "request_id": answer.request_id,
        "raw": raw,
    }
    message = _in_one_line(told.message) if told else _without_words(answer.status)
    if answer.status == 429:
        return RateLimited(message, retry_after=retry_after(answer.headers, time.time()), **known)
    if answer.status in _MOVED:
        moved = f"VideoGen is not at this address: it answered with a redirect ({answer.status})."
        return InvalidRequest(moved, **known)
    if 400 <= answer.status < 500:
        return _BY_STATUS.get(answer.status, InvalidRequest)(message, **known)
    if answer.status >= 500:
        return ServerError(message, **known)
    return MalformedAnswer(
        f"VideoGen answered with a status that means nothing here ({answer.status}).", **known
    )


def _body(answer: Answer, auth: BearerAuth) -> Any:
    """The error's JSON; None where a proxy answered, or nobody did."""
    try:
        return safe_json.decode(auth.mask(answer.body or b""))
    except safe_json.Unreadable:
        return None


def _in_one_line(message: str) -> str:
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in message).split())
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"


def _without_words(status: int) -> str:
    try:
        name = f" {HTTPStatus(status).phrase}"
    except ValueError:
        name = ""
    return f"VideoGen answered {status}{name} and gave no reason."
