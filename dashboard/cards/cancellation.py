"""A cancel, told to its end: asked when, by whom and why, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from dashboard.cards.durations import took
from executions import statuses
from executions.models import Execution


@dataclass(frozen=True)
class Cancel:
    """`outcome` is empty while it is open. `icon` and `hue` go with the outcome."""

    at: datetime
    by: str
    reason: str
    outcome: str
    is_open: bool
    was_too_late: bool


def told(execution: Execution) -> Cancel | None:
    """The story of a job's cancel; None when nobody asked. The job carries `cancel_requested_by`."""
    asked = execution.cancel_requested_at
    if asked is None:
        return None
    person = execution.cancel_requested_by
    return Cancel(
        at=asked,
        by=person.get_username() if person else "the system",
        reason=execution.cancel_reason,
        outcome=_outcome(execution, asked),
        is_open=not execution.is_terminal,
        was_too_late=execution.status in (statuses.SUCCEEDED, statuses.FAILED),
    )


def _outcome(execution: Execution, asked: datetime) -> str:
    ended = execution.ended_at
    if ended is None:
        return "VideoGen has been asked" if execution.cancel_noted_at is None else "VideoGen is stopping it"
    if execution.status == statuses.CANCELLED:
        return (
            "stopped before it was sent"
            if execution.sent_at is None
            else f"stopped after {took((ended - asked).total_seconds())}"
        )
    kept = "the result was kept" if execution.status == statuses.SUCCEEDED else "it had failed"
    late = (asked - ended).total_seconds()
    if late >= 0:
        return f"too late by {took(late)}, {kept}"
    return f"too late: it ended {took(-late)} after that, {kept}"
