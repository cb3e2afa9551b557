"""How VideoGen's errors are kept: one form for those that refuse a request and those that end a job."""

from __future__ import annotations

from typing import Any

from executions.videogen import ApiError, VideoGenError


def of_refusal(error: VideoGenError) -> dict[str, Any]:
    """An answer that was an error: the fields of docs/api-notes.md#errors, and the number to quote to support."""
    return {**_common(error), "status": error.status, "request_id": error.request_id}


def of_report(error: ApiError | None) -> dict[str, Any] | None:
    """The error that VideoGen put into a job or an event."""
    return None if error is None else _common(error)


def code_of(kept: dict[str, Any] | None) -> str | None:
    """The cause in one word, as the history is filtered by it; None when VideoGen named none."""
    code = kept.get("code") or kept.get("internal_error_code") if kept else None
    return str(code).replace("\x00", "\ufffd")[:64] if code else None


def _common(error: VideoGenError | ApiError) -> dict[str, Any]:
    return {
        "message": error.message,
        "code": error.code,
        "requirement": error.requirement,
        "internal_error_code": error.internal_error_code,
    }
