"""A job's cancellation on pages: who requested it, when, why, and the outcome."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard.cards.durations import took
from dashboard.cards.sources import SOURCE_LABELS
from executions import statuses
from executions.batches import bulk_actions
from executions.models import Execution
from executions.models.event import Source
from executions.statuses import CANCELLED, QUEUED, StatusBadge

# The outcomes of one job in the report of a bulk cancel. A job that finished first is in `outcome_badge`.
OUTCOMES = {
    bulk_actions.CANCELLED: StatusBadge("cancelled before it was sent", "ban", CANCELLED),
    bulk_actions.CANCEL_REQUESTED: StatusBadge("cancel requested at VideoGen", "hourglass", QUEUED),
    bulk_actions.ALREADY_REQUESTED: StatusBadge("was already being cancelled", "hourglass", QUEUED),
    bulk_actions.UNCONFIRMED: StatusBadge("unconfirmed: cannot be cancelled", "circle-question-mark", QUEUED),
}
NOT_DONE = StatusBadge("not done yet", "clock", QUEUED)


@dataclass(frozen=True)
class Cancellation:
    """`outcome` says how far VideoGen is while the job is open, and how the cancel ended afterwards."""

    at: datetime
    by: str
    reason: str
    outcome: str
    is_open: bool
    was_too_late: bool


def cancellation(execution: Execution) -> Cancellation | None:
    """A job's cancellation; None without a cancel request. The job must carry `cancel_requested_by`."""
    requested_at = execution.cancel_requested_at
    if requested_at is None:
        return None
    person = execution.cancel_requested_by
    return Cancellation(
        at=requested_at,
        by=person.get_username() if person else SOURCE_LABELS[Source.SYSTEM],
        reason=execution.cancel_reason,
        outcome=_outcome(execution, requested_at),
        is_open=not execution.is_terminal,
        was_too_late=execution.status in (statuses.SUCCEEDED, statuses.FAILED),
    )


def _outcome(execution: Execution, requested_at: datetime) -> str:
    ended_at = execution.ended_at
    if ended_at is None:
        return "waiting for VideoGen" if execution.cancel_accepted_at is None else "VideoGen is stopping it"
    if execution.status == statuses.CANCELLED:
        return (
            "stopped before it was sent"
            if execution.sent_at is None
            else f"stopped after {took((ended_at - requested_at).total_seconds())}"
        )
    result = "the result is available" if execution.status == statuses.SUCCEEDED else "the job had failed"
    delay = (requested_at - ended_at).total_seconds()
    if delay >= 0:
        return f"too late by {took(delay)}, {result}"
    return f"too late: the job finished {took(-delay)} after the request, {result}"


def outcome_badge(outcome: str, status: StatusBadge) -> StatusBadge:
    """How the report of a bulk cancel shows a job's outcome. `status` is the badge of the job's status now."""
    if outcome == bulk_actions.ALREADY_FINISHED:
        return StatusBadge(f"already finished: {status.label}", status.icon, status.hue)
    return OUTCOMES.get(outcome, NOT_DONE)
