"""Recurring work: updating rollups, verifying the audit log, the daily reconciliation, deleting old data."""

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

INTERVAL = 3600.0  # seconds
ROLLUP_INTERVAL = 5.0  # seconds
# How often the whole audit log is verified.
VERIFY_INTERVAL = timedelta(days=1)
PAUSE = 0.02  # seconds between two chunks


class RollupWorker(Worker):
    """Keeps the counts behind Insights up to date."""

    name = "rollup"
    max_sleep = ROLLUP_INTERVAL
    max_step = INTERVAL  # a long history is counted in one step

    async def step(self) -> None:
        await update_rollups()


async def update_rollups() -> None:
    """Count new events, unless another worker is doing so."""
    if not await runtime.in_reader(rollup.has_backlog):
        return
    claimed = await runtime.in_db(rollup.claim)
    if claimed is None:
        return
    try:
        # Reading takes longer than writing, and does not block writers.
        while True:
            step = await runtime.in_reader(rollup.read)
            if step is None or not await runtime.in_db(rollup.write, step, claimed):
                break
    finally:
        await runtime.in_db(rollup.release, claimed)


class MaintenanceWorker(Worker):
    name = "maintenance"
    max_sleep = INTERVAL
    max_step = INTERVAL  # the whole audit log is verified in one step

    async def step(self) -> None:
        await _run_tasks(
            {
                "Could not prune old deliveries": _prune_deliveries,
                "Could not delete old rejections": partial(runtime.in_db, delete_old_rejections),
                "Could not delete the limits of unused keys": partial(runtime.in_db, delete_old_keys),
            }
        )
        await maintain_audit_log()
        await _run_tasks({"Could not reconcile days": daily_reconciliation.reconcile_due_days})


async def _run_tasks(tasks: Mapping[str, Callable[[], Awaitable[object]]]) -> None:
    """Run each task. An error is logged with the task's message and does not stop the others."""
    for message, task in tasks.items():
        try:
            await task()
        except Exception:
            logger.exception("%s, will retry in an hour", message)


async def _prune_deliveries() -> None:
    while await runtime.in_db(deliveries.prune):
        pass


def delete_old_rejections() -> None:
    old = timezone.now() - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    Rejection.objects.filter(hour__lt=old).delete()


def delete_old_keys() -> None:
    """Delete the rate limits and budgets of API keys that are no longer used."""
    old = timezone.now() - timedelta(days=7)
    RateWindow.objects.filter(reported_at__lt=old).delete()
    CallBudget.objects.filter(counted_at__lt=old).delete()


async def maintain_audit_log() -> None:
    """Apply the retention rule, publish the head, and verify the chain once a day."""
    await _run_tasks(
        {
            "Could not summarize old events": partial(_run_in_chunks, retention.prune),
            "Could not delete summarized events": _delete_summarized,
            "Could not publish the head of the audit log": partial(runtime.in_reader, anchors.publish),
            "Could not verify the audit log": _verify,
        }
    )


async def _delete_summarized() -> None:
    while await runtime.in_db(retention.delete_summarized):
        pass


async def _verify() -> None:
    last = await runtime.in_reader(verification.latest)
    if last is None or last.at < timezone.now() - VERIFY_INTERVAL:
        finding = await _run_in_chunks(verification.verify_and_store)
        if finding.problem:
            logger.error("The audit log is not intact: %s", finding.problem)


class StopRequested(Exception):
    """The process is stopping, so the result is not needed."""


async def _run_in_chunks[T](work: Callable[..., T]) -> T:
    """Run `work`, pausing after each chunk so that other tasks get their turn. Stops when cancelled."""
    stopping = threading.Event()

    def pause(_: Head) -> None:
        if stopping.wait(PAUSE):
            raise StopRequested

    try:
        return await runtime.in_background(work, on_chunk=pause)
    finally:
        stopping.set()
