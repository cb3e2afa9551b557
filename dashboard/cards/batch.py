"""A batch as pages show it: its progress, and what its viewer may do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from django.urls import reverse

from dashboard.cards import job as job_card
from executions import statuses, tools
from executions.batches import service as batches
from executions.lifecycle import estimates, queue_state
from executions.models import Batch, Queue
from executions.policy import Action
from executions.statuses import (
    CANCELLED,
    FAILED,
    PENDING,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    UNCONFIRMED,
    StatusBadge,
)

# From left to right in the status bar: final statuses first, queued last.
ORDER = (SUCCEEDED, FAILED, UNCONFIRMED, CANCELLED, RUNNING, PENDING, QUEUED)

# The actions that a batch's page offers.
MANAGE = (Action.BATCH_UNDO, Action.BATCH_CANCEL, Action.BATCH_PAUSE)


@dataclass(frozen=True)
class Segment:
    """One status in the bar: `x` and `width` in percent."""

    status: str
    badge: StatusBadge
    count: int
    x: float
    width: float


@dataclass(frozen=True)
class BatchCard:
    """`counts` is the number of jobs by status. The fields with a default are filled by `batch_page_card` only."""

    batch: Batch
    tool: tools.Tool
    audience: str
    counts: Counter[str]
    results: int = 0
    allowed: frozenset[Action] = frozenset()
    """What the viewer may do with the batch while its state permits it: of MANAGE."""
    paused: int = 0
    """The number of paused jobs."""
    queue: Queue | None = None
    forecast: estimates.SubmissionForecast | None = None
    """When the queued jobs will have been submitted. None if there are none, or if the queue is paused."""

    @property
    def id(self) -> str:
        return str(self.batch.pk)

    @property
    def url(self) -> str:
        return reverse("batch", args=[self.id])

    @property
    def who(self) -> str:
        if self.audience == job_card.OWNER:
            return "you"
        return self.batch.created_by.get_username() if self.batch.created_by else "external"

    @property
    def total(self) -> int:
        return self.batch.size

    @property
    def ended(self) -> int:
        return sum(count for status, count in self.counts.items() if status in statuses.TERMINAL)

    @property
    def failed(self) -> int:
        return self.counts[FAILED]

    @property
    def cancelled(self) -> int:
        return self.counts[CANCELLED]

    @property
    def left(self) -> int:
        """The number of jobs that a cancel could still stop."""
        return self.total - self.ended - self.counts[UNCONFIRMED]

    @property
    def is_final(self) -> bool:
        return self.ended >= self.total

    @property
    def is_undone(self) -> bool:
        return self.batch.undone_at is not None

    @property
    def is_held(self) -> bool:
        return self.batch.can_be_undone

    @property
    def may_undo(self) -> bool:
        return self.is_held and Action.BATCH_UNDO in self.allowed

    @property
    def may_cancel(self) -> bool:
        return self._can_be_stopped and Action.BATCH_CANCEL in self.allowed

    @property
    def may_pause(self) -> bool:
        has_queued = self._can_be_stopped and self.counts[QUEUED] > 0
        return has_queued and Action.BATCH_PAUSE in self.allowed

    @property
    def _can_be_stopped(self) -> bool:
        return self.left > 0 and not self.is_held and not self.is_undone

    @property
    def has_jobs_to_pause(self) -> bool:
        return self.counts[QUEUED] > self.paused

    @property
    def badge(self) -> StatusBadge:
        if self.is_undone:
            return StatusBadge("undone", "undo-2", CANCELLED)
        if self.is_held:
            return StatusBadge("starting soon", "clock", QUEUED)
        if self.counts[UNCONFIRMED] and not self.left:
            return StatusBadge(f"{self.counts[UNCONFIRMED]} unconfirmed", "circle-question-mark", PENDING)
        if not self.is_final:
            moving = any(self.counts[status] for status in (RUNNING, PENDING))
            return (
                StatusBadge("running", "loader-circle", RUNNING)
                if moving
                else StatusBadge("queued", "clock", QUEUED)
            )
        if self.failed:
            return StatusBadge(f"{self.failed} failed", "x", FAILED)
        if self.cancelled and self.counts[SUCCEEDED]:
            return StatusBadge(f"{self.counts[SUCCEEDED]} of {self.total} succeeded", "check", SUCCEEDED)
        return statuses.badge(SUCCEEDED if self.counts[SUCCEEDED] else CANCELLED)

    @property
    def segments(self) -> list[Segment]:
        known = [status for status in ORDER if self.counts[status]]
        unknown = sorted(status for status, count in self.counts.items() if count and status not in ORDER)
        segments, x = [], 0.0
        for status in known + unknown:
            width = 100 * self.counts[status] / max(self.total, 1)
            segments.append(Segment(status, statuses.badge(status), self.counts[status], x, width))
            x += width
        return segments


def batch_card(batch: Batch, audience: str) -> BatchCard:
    return BatchCard(batch, tools.find(batch.tool), audience, batches.counts([batch.pk])[batch.pk])


def batch_page_card(batch: Batch, audience: str) -> BatchCard:
    """The card with everything that the batch's own page shows."""
    card = batch_card(batch, audience)
    queue = queue_state.state() if card.left and not card.is_undone else None
    waits = queue is not None and card.counts[QUEUED] > 0
    return replace(
        card,
        results=batches.result_count(batch),
        allowed=frozenset(action for action in MANAGE if job_card.allows(audience, action)),
        paused=batch.executions.paused().count() if waits else 0,
        queue=queue,
        forecast=estimates.forecast(0, batch=batch) if waits and queue and not queue.paused_at else None,
    )


def batch_cards(user: Any, found: Iterable[Batch]) -> list[BatchCard]:
    """Cards for many batches in a constant number of queries. The batches must carry `created_by`."""
    listed = list(found)
    counts = batches.counts(batch.pk for batch in listed)
    return [
        BatchCard(
            batch, tools.find(batch.tool), job_card.audience(user, batch.created_by_id), counts[batch.pk]
        )
        for batch in listed
    ]
