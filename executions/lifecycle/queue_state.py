"""Whether jobs may be submitted now: the pause of the whole queue, and VideoGen's hourly limit."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from executions import policy
from executions.audit import record as audit_log
from executions.limits import rate_limits
from executions.models import Execution, Queue
from executions.models.event import ActKind
from executions.models.execution import ExecutionQuerySet
from executions.policy import Action, Actor
from executions.signals import queue_changed
from executions.statuses import QUEUED


def state() -> Queue:
    return Queue.objects.select_related("paused_by").filter(pk=1).first() or Queue()


def is_paused() -> bool:
    return Queue.objects.filter(pk=1, paused_at__isnull=False).exists()


def pause_all(*, actor: Actor) -> bool:
    """Stop all submissions until the queue is resumed. Submitted jobs continue. False if it was paused already."""
    return _set_paused(timezone.now(), policy.require(actor, Action.QUEUE_PAUSE))


def resume_all(*, actor: Actor) -> bool:
    return _set_paused(None, policy.require(actor, Action.QUEUE_RESUME))


def _set_paused(at: datetime | None, actor_id: int | None) -> bool:
    with transaction.atomic():
        Queue.objects.get_or_create(pk=1)
        opposite = Queue.objects.filter(pk=1, paused_at__isnull=at is not None)
        if not opposite.update(paused_at=at, paused_by_id=actor_id if at else None):
            return False
        kind = ActKind.QUEUE_PAUSED if at else ActKind.QUEUE_RESUMED
        audit_log.record(kind, actor_id=actor_id, subject=state(), name="the queue")
        transaction.on_commit(lambda: queue_changed.send(sender=Queue))
    return True


def check_hold(execution: Execution) -> tuple[bool, datetime | None]:
    """Whether the job is held back now, and until when (None: until a person resumes it, or not held)."""
    if execution.paused_at is not None or is_paused():
        return True, None
    in_batch = execution.batch_id is not None and execution.prioritised_at is None
    until = rate_limits.starts().opens_at(timezone.now(), in_batch=in_batch)
    return until is not None, until


def workable(now: datetime) -> ExecutionQuerySet:
    """The due jobs that the reconciler may work on: without submissions while the queue is paused."""
    due = Execution.objects.due(now)
    return due.exclude(status=QUEUED, sent_at=None) if is_paused() else due
