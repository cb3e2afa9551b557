"""The statuses of a job: five of VideoGen's, two local ones, and the badge of each.

Allowed transitions are in executions/lifecycle/transitions.py.
"""

from __future__ import annotations

from dataclasses import dataclass

QUEUED, UNCONFIRMED = "queued", "unconfirmed"
PENDING, RUNNING = "pending", "running"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"

TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED})
LOCAL = frozenset({QUEUED, UNCONFIRMED})
"""Statuses that only Rushes uses. VideoGen never reports them."""
ALL = (QUEUED, PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, UNCONFIRMED)


@dataclass(frozen=True)
class StatusBadge:
    """How a status is displayed: its text, the name of a Lucide icon, and `hue`, the name of its colour in the CSS."""

    label: str
    icon: str
    hue: str


BADGES = {
    QUEUED: StatusBadge("queued", "clock", QUEUED),
    UNCONFIRMED: StatusBadge("unconfirmed", "circle-question-mark", PENDING),
    PENDING: StatusBadge("pending", "clock", PENDING),
    RUNNING: StatusBadge("running", "loader-circle", RUNNING),
    SUCCEEDED: StatusBadge("succeeded", "check", SUCCEEDED),
    FAILED: StatusBadge("failed", "x", FAILED),
    CANCELLED: StatusBadge("cancelled", "ban", CANCELLED),
    "awaiting_approval": StatusBadge("awaiting approval", "hand", PENDING),
}


def badge(status: str) -> StatusBadge:
    """The badge of a status. An unknown status is shown under its own name, in neutral grey."""
    return BADGES.get(status) or StatusBadge(status.replace("_", " "), "circle-dot", QUEUED)
