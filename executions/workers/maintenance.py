"""Recurring work: keeping counts up to date, verifying the audit log, reconciling days, deleting what is old."""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

from django.conf import settings
from django.utils import timezone

from executions.audit import anchors, retention, verification
from executions.audit.hash_chain import Head
from executions.core import runtime
from executions.core.worker import Worker
from executions.models import CallBudget, RateWindow, Rejection
from executions.stats import rollup
from executions.sync import daily_reconciliation
from executions.webhooks import deliveries

logger = logging.getLogger(__name__)

EVERY = 3600.0  # seconds
COUNT_EVERY = 5.0  # seconds
# How often the whole record is walked through.
VERIFIED_EVERY = timedelta(days=1)
BREATH = 0.02  # seconds


class RollupWorker(Worker):
    """Keeps the counts behind Insights up to date."""

    name = "rollup"
    max_rest = COUNT_EVERY
    max_step = EVERY  # a long history is counted in one step

    async def step(self) -> None:
        await count()


async def count() -> None:
    """Count the events that are new, unless another worker is at it."""
    if not await runtime.in_reader(rollup.is_behind) or not await runtime.in_db(rollup.claim):
        return
    try:
        # Reading takes longer than writing, and keeps nobody from writing.
        while True:
            step = await runtime.in_reader(rollup.read)
            if step is None or not await runtime.in_db(rollup.write, step):
                break
    finally:
        await runtime.in_db(rollup.release)


class MaintenanceWorker(Worker):
    name = "maintenance"
    max_rest = EVERY
    max_step = EVERY  # the whole record is walked through in one step

    async def step(self) -> None:
        await _each(
            {
                "Old deliveries could not be pruned": _prune_deliveries,
                "Old rejections could not be forgotten": partial(runtime.in_db, forget_old_rejections),
                "Keys that are not used any more could not be forgotten": partial(
                    runtime.in_db, forget_old_keys
                ),
            }
        )
        await look_after_the_record()
        await _each({"Days could not be closed": daily_reconciliation.close_due})


async def _each(duties: Mapping[str, Callable[[], Awaitable[object]]]) -> None:
    """Do these, each by itself: what one fails of is told in its words, and silences none of the others."""
    for words, duty in duties.items():
        try:
            await duty()
        except Exception:
            logger.exception("%s, and that is tried again in an hour", words)


async def _prune_deliveries() -> None:
    while await runtime.in_db(deliveries.prune):
        pass


def forget_old_rejections() -> None:
    old = timezone.now() - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    Rejection.objects.filter(hour__lt=old).delete()


def forget_old_keys() -> None:
    """What was known of keys that are not used any more."""
    old = timezone.now() - timedelta(days=7)
    RateWindow.objects.filter(heard_at__lt=old).delete()
    CallBudget.objects.filter(counted_at__lt=old).delete()


async def look_after_the_record() -> None:
    """Prune what the rule says, tell the head, and now and then walk the chain."""
    await _each(
        {
            "Old events could not be summarized": partial(_walk, retention.prune),
            "Events that were summarized could not be deleted": _sweep,
            "The record's head could not be told": partial(runtime.in_reader, anchors.tell),
            "The record could not be verified": _verify,
        }
    )


async def _sweep() -> None:
    while await runtime.in_db(retention.sweep):
        pass


async def _verify() -> None:
    last = await runtime.in_reader(verification.last)
    if last is None or last.at < timezone.now() - VERIFIED_EVERY:
        finding = await _walk(verification.verify_and_keep)
        if finding.problem:
            logger.error("The record does not hold: %s", finding.problem)


class Interrupted(Exception):
    """The process ends: what was walked through is not of interest any more."""


async def _walk[T](work: Callable[..., T]) -> T:
    """Run what goes through the whole record, with a breath for others after each part, until this is cancelled."""
    stopping = threading.Event()

    def breathe(_: Head) -> None:
        if stopping.wait(BREATH):
            raise Interrupted

    try:
        return await runtime.apart(work, on_chunk=breathe)
    finally:
        stopping.set()
