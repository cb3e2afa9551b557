"""The stored form of VideoGen's errors, the same for rejected requests and failed jobs."""

from __future__ import annotations

from typing import Any

from executions.videogen import ApiError, VideoGenError


def from_rejection(error: VideoGenError) -> dict[str, Any]:
    """An error response: the fields of docs/api-notes.md#errors, plus the request id to quote to support."""
    return {**_common(error), "status": error.status, "request_id": error.request_id}


def from_report(error: ApiError | None) -> dict[str, Any] | None:
    """The error that VideoGen reported in a job or an event."""
    return None if error is None else _common(error)


def error_code(error: dict[str, Any] | None) -> str | None:
    """The code by which the history is filtered, at most 64 characters; None when VideoGen gave none."""
    code = error.get("code") or error.get("internal_error_code") if error else None
    return str(code).replace("\x00", "\ufffd")[:64] if code else None


def _common(error: VideoGenError | ApiError) -> dict[str, Any]:
    return {
        "message": error.message,
        "code": error.code,
        "requirement": error.requirement,
        "internal_error_code": error.internal_error_code,
    }
