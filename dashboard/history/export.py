"""The rows of a History export."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import batched
from typing import Any

from executions.models import Execution
from executions.search.jobs import Filters, iterate

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
CHUNK_SIZE = 500


def export_rows(filters: Filters) -> Iterator[tuple[Any, ...]]:
    """The matching jobs, newest first, read in chunks without holding a database cursor."""
    for ids in batched(iterate(filters), CHUNK_SIZE, strict=False):
        found = {
            row[0]: row for row in Execution.objects.filter(pk__in=ids).values_list(*FIELD_OF_COLUMN.values())
        }
        for pk in ids:
            if pk in found:
                _, *rest = found[pk]
                yield (str(pk), *rest)
