"""Who works on a job right now. The row is the queue: a claim is one UPDATE, and a dead worker's lease expires."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from executions.lifecycle import queue_state
from executions.limits import rate_limits
from executions.models import Execution
from executions.models.execution import PRIORITISED_FIRST
from executions.statuses import QUEUED

# Longer than the longest call to the API may take (CALL_LIMIT), so that a lease never ends under a living worker.
LEASE = timedelta(seconds=60)
CALL_LIMIT = 45.0  # seconds
# What is more than asked after: a start, or a cancel to be told.
TO_BE_DONE = Q(remote_id=None) | Q(cancel_requested_at__isnull=False, cancel_noted_at=None)
# Of the places that a worker has, those that starts of batches never take.
KEPT_FREE = 4

# The leases that this process took and that may not have ended yet.
_held: dict[uuid.UUID, datetime] = {}
_lock = threading.Lock()


def hold(ids: Iterable[uuid.UUID], until: datetime) -> None:
    """Remember that these are ours, so that they can be given back at the end (`release_held`)."""
    now = timezone.now()
    with _lock:
        for known in [each for each, its_end in _held.items() if its_end <= now]:
            del _held[known]
        _held.update(dict.fromkeys(ids, until))


def release_held() -> int:
    """Free what this process still holds, when nothing of it is at work any more: others need not wait for the end.

    A lease that has ended since, and is another's now, is left alone: its end is another time.
    """
    with _lock:
        held = dict(_held)
        _held.clear()
    return sum(
        Execution.objects.filter(pk=pk, leased_until=until).update(leased_until=None)
        for pk, until in held.items()
    )


def claim(execution_id: uuid.UUID) -> bool:
    """Take this job for one call, if it is due and free."""
    until = Execution.objects.filter(pk=execution_id).take(LEASE)
    if until is not None:
        hold([execution_id], until)
    return until is not None


def claim_due(limit: int, asks: int | None = None) -> list[uuid.UUID]:
    """Take up to `limit` jobs whose time has come, the longest waiting first. Safe among many workers.

    `asks` says how many of them may be such that are only asked after; starts and cancels then come before them.

    A batch's jobs that are still to be sent come after everything else, and leave the last places free: a single
    job passes them. What was moved to the front goes first. What may not be sent now is left.
    """
    now = timezone.now()
    with transaction.atomic():
        room = rate_limits.hold_starts(now)
        rows = queue_state.workable(now).order_by(PRIORITISED_FIRST, "next_attempt_at", "id").skip_locked()
        waiting_in_batch = Q(status=QUEUED, batch__isnull=False, hastened_at=None)
        single = rows.exclude(waiting_in_batch).values_list("pk", flat=True)
        if asks is None:
            ids = list(single[:limit])
        else:
            ids = list(single.filter(TO_BE_DONE)[:limit])
            ids += single.exclude(TO_BE_DONE)[: min(asks, limit - len(ids))]
        left = limit - len(ids) - KEPT_FREE
        if room is not None:
            left = min(left, room)
        if left > 0:
            ids += rows.filter(waiting_in_batch).values_list("pk", flat=True)[:left]
        Execution.objects.filter(pk__in=ids).update(leased_until=now + LEASE)
    hold(ids, now + LEASE)
    return ids


def release(execution_id: uuid.UUID, next_attempt_at: datetime | None = None) -> None:
    """Give a job back, to be looked at again at `next_attempt_at` (None: as it stands)."""
    columns: dict[str, datetime | None] = {"leased_until": None}
    if next_attempt_at is not None:
        columns["next_attempt_at"] = next_attempt_at
    Execution.objects.filter(pk=execution_id, ended_at=None).update(**columns)


def release_all() -> int:
    """Free every lease. Only for a process that knows to be alone, when it starts (SQLite)."""
    return Execution.objects.release_all(LEASE)
