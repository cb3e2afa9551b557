"""Exports of tables, for CSV and JSON Lines: the rows of the History, and the audit entries of exports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from executions import policy
from executions.audit import record as audit_log
from executions.models.event import ActKind
from executions.policy import Action, Actor
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
HISTORY_COLUMNS = tuple(FIELD_OF_COLUMN)


def export_history(
    filters: Filters, *, query: str, file_format: str, actor: Actor
) -> Iterator[tuple[Any, ...]]:
    """The matching jobs, newest first, as HISTORY_COLUMNS. Recorded with the `query` of the page. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.HISTORY_EXPORT)
    audit_log.record(ActKind.EXPORTED, actor_id=actor_id, name="history", query=query, format=file_format)
    return _history_rows(filters)


def _history_rows(filters: Filters) -> Iterator[tuple[Any, ...]]:
    for pk, *rest in iterate_values(filters, FIELD_OF_COLUMN.values()):
        yield (str(pk), *rest)


def record_audit_export(*, filters: dict[str, str], file_format: str, actor: Actor) -> None:
    """Record an export of the audit log, whose rows the dashboard puts into words. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.AUDIT_VIEW)
    audit_log.record(
        ActKind.EXPORTED, actor_id=actor_id, name="the audit", format=file_format, filters=filters
    )
