"""The statuses of a job: VideoGen's five, our two, and how each is shown. What may follow what is in lifecycle.py."""

from __future__ import annotations

from dataclasses import dataclass

QUEUED, UNCONFIRMED = "queued", "unconfirmed"
PENDING, RUNNING = "pending", "running"
SUCCEEDED, FAILED, CANCELLED = "succeeded", "failed", "cancelled"

TERMINAL = frozenset({SUCCEEDED, FAILED, CANCELLED})
OURS = frozenset({QUEUED, UNCONFIRMED})
KNOWN = (QUEUED, PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, UNCONFIRMED)


@dataclass(frozen=True)
class Look:
    """A status for the eye: `hue` names the colour, `icon` a Lucide icon, `word` what is said beside it."""

    word: str
    icon: str
    hue: str


LOOKS = {
    QUEUED: Look("queued", "clock", QUEUED),
    UNCONFIRMED: Look("unconfirmed", "circle-question-mark", PENDING),
    PENDING: Look("pending", "clock", PENDING),
    RUNNING: Look("running", "loader-circle", RUNNING),
    SUCCEEDED: Look("succeeded", "check", SUCCEEDED),
    FAILED: Look("failed", "x", FAILED),
    CANCELLED: Look("cancelled", "ban", CANCELLED),
    "awaiting_approval": Look("awaiting approval", "hand", PENDING),
}


def look(status: str) -> Look:
    """How a status is shown; one that we do not know keeps its own word, in neutral grey."""
    return LOOKS.get(status) or Look(status.replace("_", " "), "circle-dot", QUEUED)
