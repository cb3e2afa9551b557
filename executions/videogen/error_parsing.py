"""Converts a response that is not a success into a VideoGenError (docs/api-notes.md#errors)."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

from executions.videogen import safe_json, wire_fields
from executions.videogen.auth import BearerAuth
from executions.videogen.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    MalformedResponse,
    NotFound,
    RateLimited,
    ServerError,
    Unauthorized,
    VideoGenError,
)
from executions.videogen.rate_limit_headers import retry_after
from executions.videogen.transport import Response
from executions.videogen.wire import ApiError

MAX_MESSAGE_LENGTH = 1000

_BY_STATUS: dict[int, type[VideoGenError]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
}
# Redirects of a wrong address. Not 303, which would mean that the request had its effect.
_MOVED = frozenset({301, 302, 307, 308})


def to_error(response: Response, auth: BearerAuth) -> VideoGenError:
    """The error of a response. The status decides its class, then the code, never the message."""
    raw = _body(response, auth)
    error = (
        ApiError.from_wire(raw) if isinstance(raw, dict) and wire_fields.text(raw.get("message")) else None
    )
    fields = wire_fields.mapping(raw)
    details: dict[str, Any] = {
        "status": response.status,
        "code": wire_fields.text(fields.get("code")),
        "requirement": wire_fields.mapping(fields.get("requirement")) or None,
        "internal_error_code": wire_fields.text(fields.get("internalErrorCode")),
        "request_id": response.request_id,
        "raw": raw,
    }
    message = _one_line(error.message) if error else _default_message(response.status)
    if response.status == 429:
        return RateLimited(message, retry_after=retry_after(response.headers, time.time()), **details)
    if response.status in _MOVED:
        moved = f"VideoGen is not at this address: it responded with a redirect ({response.status})."
        return InvalidRequest(moved, **details)
    if 400 <= response.status < 500:
        return _BY_STATUS.get(response.status, InvalidRequest)(message, **details)
    if response.status >= 500:
        return ServerError(message, **details)
    return MalformedResponse(f"VideoGen responded with an unexpected status ({response.status}).", **details)


def _body(response: Response, auth: BearerAuth) -> Any:
    """The error's JSON, or None if the body is not JSON, as when a proxy responded."""
    try:
        return safe_json.decode(auth.mask(response.body or b""))
    except safe_json.InvalidJson:
        return None


def _one_line(message: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in message).split())
    return line if len(line) <= MAX_MESSAGE_LENGTH else line[: MAX_MESSAGE_LENGTH - 1] + "…"


def _default_message(status: int) -> str:
    try:
        name = f" {HTTPStatus(status).phrase}"
    except ValueError:
        name = ""
    return f"VideoGen responded with {status}{name} and gave no reason."
