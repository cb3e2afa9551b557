"""The rows of a History export."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from executions.search.jobs import Filters, iterate_values

# Column of the export -> field of the job.
FIELD_OF_COLUMN = {
    "id": "pk",
    "videogen_id": "remote_id",
    "tool": "tool",
    "status": "status",
    "person": "created_by__username",
    "batch": "batch__name",
    "prompt": "prompt",
    "origin": "origin",
    "started_at": "created_at",
    "sent_at": "sent_at",
    "accepted_at": "accepted_at",
    "running_at": "running_at",
    "ended_at": "ended_at",
    "took_seconds": "duration",
    "error_code": "error_code",
    "error": "error__message",
    "cancel_asked_at": "cancel_requested_at",
    "cancel_asked_by": "cancel_requested_by__username",
    "cancel_reason": "cancel_reason",
}
COLUMNS = tuple(FIELD_OF_COLUMN)


def export_rows(filters: Filters) -> Iterator[tuple[Any, ...]]:
    """The matching jobs, newest first."""
    for pk, *rest in iterate_values(filters, FIELD_OF_COLUMN.values()):
        yield (str(pk), *rest)
