"""Leases on jobs: which worker works on what. The row is the queue: a claim is one UPDATE, and a dead worker's lease expires."""

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

# Longer than the longest call to the API (CALL_LIMIT), so that the lease of a live worker never expires.
LEASE = timedelta(seconds=60)
CALL_LIMIT = 45.0  # seconds
# Jobs that need more than a poll: a submission or a cancel request.
NEEDS_ACTION = Q(remote_id=None) | Q(cancel_requested_at__isnull=False, cancel_accepted_at=None)
# Slots of a worker that submissions of batches never use.
RESERVED_SLOTS = 4

# The leases that this process holds, by job id. Some may have expired.
_held: dict[uuid.UUID, datetime] = {}
_lock = threading.Lock()


def remember(ids: Iterable[uuid.UUID], until: datetime) -> None:
    """Record leases of this process, so that it can release them when it stops (`release_held`)."""
    now = timezone.now()
    with _lock:
        for expired in [pk for pk, end in _held.items() if end <= now]:
            del _held[expired]
        _held.update(dict.fromkeys(ids, until))


def release_held() -> int:
    """Release the leases of this process when its work has stopped, so that other workers need not wait for their expiry.

    A lease that expired and was taken by another worker has a different end, and is left alone.
    """
    with _lock:
        held = dict(_held)
        _held.clear()
    return sum(Execution.objects.release(Execution(pk=pk, leased_until=until)) for pk, until in held.items())


def claim(execution_id: uuid.UUID) -> bool:
    """Lease this job for one call, if it is due and free."""
    until = Execution.objects.filter(pk=execution_id).claim_all(LEASE)
    if until is not None:
        remember([execution_id], until)
    return until is not None


def claim_due(limit: int, max_polls: int | None = None) -> list[uuid.UUID]:
    """Lease up to `limit` due jobs, the longest due first. Safe with many workers.

    `max_polls` limits how many of them may be mere polls; submissions and cancel requests then come first.

    Queued jobs of a batch come last and leave RESERVED_SLOTS free, so that single jobs pass them. Jobs that were moved
    to the front come first. Jobs that may not be submitted now are skipped.
    """
    now = timezone.now()
    with transaction.atomic():
        room = rate_limits.hold_starts(now)
        rows = queue_state.workable(now).order_by(PRIORITISED_FIRST, "next_attempt_at", "id").skip_locked()
        queued_in_batch = Q(status=QUEUED, batch__isnull=False, prioritised_at=None)
        single = rows.exclude(queued_in_batch).values_list("pk", flat=True)
        if max_polls is None:
            ids = list(single[:limit])
        else:
            ids = list(single.filter(NEEDS_ACTION)[:limit])
            ids += single.exclude(NEEDS_ACTION)[: min(max_polls, limit - len(ids))]
        free = limit - len(ids) - RESERVED_SLOTS
        if room is not None:
            free = min(free, room)
        if free > 0:
            ids += rows.filter(queued_in_batch).values_list("pk", flat=True)[:free]
        # Not `claim`: the parts above share one limit, and their rows are locked, so one UPDATE leases them all.
        Execution.objects.filter(pk__in=ids).update(leased_until=now + LEASE)
    remember(ids, now + LEASE)
    return ids


def release(execution_id: uuid.UUID, next_attempt_at: datetime | None = None) -> None:
    """Release a job, which is due again at `next_attempt_at` (None: unchanged).

    Callers know only its id, so this does not check that they still hold it: LEASE outlasts every call.
    """
    columns: dict[str, datetime | None] = {"leased_until": None}
    if next_attempt_at is not None:
        columns["next_attempt_at"] = next_attempt_at
    Execution.objects.filter(pk=execution_id, ended_at=None).update(**columns)


def release_all() -> int:
    """Release every lease. Only for a process that is the only one, at its start (SQLite)."""
    return Execution.objects.release_all(LEASE)
