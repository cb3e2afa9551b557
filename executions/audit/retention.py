"""Retention: the oldest events are deleted, and a signed summary from which the chain continues replaces them."""

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
from executions.audit.verification import ChainBroken, verified_chunks
from executions.models import Event, Summary
from executions.models.event import ActKind

logger = logging.getLogger(__name__)

# Minimum time between two summaries.
INTERVAL = timedelta(days=1)
DELETE_CHUNK = 2000


def prune(*, on_chunk: Callable[[Head], None] | None = None) -> Summary | None:
    """Summarize the events older than AUDIT_RETENTION_DAYS. `delete_summarized` then deletes them.

    None when there is nothing to do. A broken chain is left as it is: a summary would hide where it broke.
    """
    now = timezone.now()
    if not settings.AUDIT_RETENTION_DAYS:
        return None
    if Summary.objects.filter(made_at__gt=now - INTERVAL).exists():
        return None
    start = hash_chain.pruned_head()
    cutoff = now - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    try:
        summary = _summarize(start, cutoff, on_chunk)
    except ChainBroken as broken:
        logger.error("Nothing was pruned, because the audit log is not intact: %s", broken)
        return None
    if summary is None:
        return None
    with transaction.atomic():
        if not sealing.try_lock() or hash_chain.pruned_head() != start:
            return None  # another process is sealing or pruning
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


def _summarize(start: Head, cutoff: datetime, on_chunk: Callable[[Head], None] | None) -> Summary | None:
    """Summarize the events after `start`, up to the first one recorded at `cutoff` or later. Raises ChainBroken."""
    counts: Counter[str] = Counter()
    first_at = last_at = None
    end = start
    for chunk in verified_chunks(start):
        for position, _, its_hash, values in chunk:
            recorded_at = values[hash_chain.RECORDED_AT]
            if recorded_at >= cutoff:
                break
            first_at, last_at = first_at or recorded_at, recorded_at
            counts[values[hash_chain.KIND]] += 1
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


def delete_summarized() -> int:
    """Delete one chunk of the events that a summary covers, and return their number. Call it until it returns 0."""
    last = hash_chain.pruned_head().position
    ids = list(
        Event.objects.sealed()
        .filter(position__lte=last)
        .order_by("position")
        .values_list("pk", flat=True)[:DELETE_CHUNK]
    )
    if ids:
        rows = Event.objects.filter(pk__in=ids)
        rows._raw_delete(rows.db)
    return len(ids)
