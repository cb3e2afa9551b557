"""A change of a job or of the queue, as servers publish it and pages render it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from executions import statuses


@dataclass
class Change:
    """A changed job. Several changes of one job are merged into one, from the first status to the last."""

    id: str
    owner_id: int | None
    created: bool
    from_status: str
    to_status: str
    batch_id: str | None = None

    @property
    def ended(self) -> bool:
        return self.to_status in statuses.TERMINAL and self.from_status not in statuses.TERMINAL

    @property
    def is_queue_wide(self) -> bool:
        """Whether the queue as a whole changed, rather than a single job."""
        return not self.id

    @property
    def affects_queue(self) -> bool:
        return statuses.QUEUED in (self.from_status, self.to_status)

    def merged(self, later: Change) -> Change:
        return replace(self, created=self.created or later.created, to_status=later.to_status)


def merge(waiting: dict[str, Change], change: Change) -> None:
    """Add a change to the pending ones, merged with an earlier one of the same job."""
    earlier = waiting.get(change.id)
    waiting[change.id] = earlier.merged(change) if earlier else change
