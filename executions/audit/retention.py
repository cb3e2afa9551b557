"""The retention rule: the oldest events go, a signed summary of them stays, and the chain goes on from it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from executions.audit import hash_chain, sealing, summaries
from executions.audit import record as audit_log
from executions.audit.hash_chain import Head
from executions.audit.verification import Broken, walk
from executions.models import Event, Summary
from executions.models.event import ActKind

logger = logging.getLogger(__name__)

# One summary a day is enough.
EVERY = timedelta(days=1)
DELETED_AT_ONCE = 2000


def prune(*, on_chunk: Callable[[Head], None] | None = None) -> Summary | None:
    """Summarize what is older than the rule says; `sweep` deletes it then. None when there is nothing to do.

    A chain that does not hold is left as it is: a summary would hide where it broke.
    """
    now = timezone.now()
    if not settings.AUDIT_RETENTION_DAYS:
        return None
    if Summary.objects.filter(made_at__gt=now - EVERY).exists():
        return None
    start = hash_chain.pruned_head()
    old = now - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    try:
        summary = _summary(start, old, on_chunk)
    except Broken as broken:
        logger.error("Nothing is pruned, since the record does not hold: %s", broken)
        return None
    if summary is None:
        return None
    with transaction.atomic():
        if not sealing.take_turn() or hash_chain.pruned_head() != start:
            return None  # another process is at it
        summary.save()
        audit_log.record(
            ActKind.PRUNED,
            actor_id=None,
            subject=summary,
            events=summary.last_position - summary.first_position + 1,
            counts=summary.counts,
            days=settings.AUDIT_RETENTION_DAYS,
        )
    return summary


def _summary(start: Head, old: datetime, on_chunk: Callable[[Head], None] | None) -> Summary | None:
    """Of the events behind `start` that are older, up to the first that is not. Raises Broken."""
    counts: Counter[str] = Counter()
    first_at = last_at = None
    end = start
    for chunk in walk(start):
        for position, _, its_hash, said in chunk:
            recorded_at = said[hash_chain.RECORDED_AT]
            if recorded_at >= old:
                break
            first_at, last_at = first_at or recorded_at, recorded_at
            counts[said[hash_chain.KIND]] += 1
            end = Head(position, its_hash)
        if end.position != chunk[-1][0]:
            break
        if on_chunk is not None:
            on_chunk(end)
    if first_at is None or last_at is None:
        return None
    return summaries.signed(
        Summary(
            first_position=start.position + 1,
            last_position=end.position,
            first_at=first_at,
            last_at=last_at,
            counts=dict(counts),
            previous_hash=start.hash,
            last_hash=end.hash,
        )
    )


def sweep() -> int:
    """Delete some of the events that a summary covers; returns how many. To be called until it is 0."""
    last = hash_chain.pruned_head().position
    ids = list(
        Event.objects.sealed()
        .filter(position__lte=last)
        .order_by("position")
        .values_list("pk", flat=True)[:DELETED_AT_ONCE]
    )
    if ids:
        rows = Event.objects.filter(pk__in=ids)
        rows._raw_delete(rows.db)
    return len(ids)
