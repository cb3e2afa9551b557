"""Background work on files: polling uploads, reporting archived files, withdrawing expired public previews.

A file with work to do has the time of its next check (`next_poll_at`), which is also its lease (core/leasing.py), so
any number of processes can share the work. Each step also imports the account's files (sync/file_import.py).
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from django.utils import timezone

from executions import policy
from executions.core import runtime
from executions.core.worker import Worker
from executions.files import actions as file_actions
from executions.files import signed_urls, uploads
from executions.files.store import store_file
from executions.limits import api_health, poll_budget
from executions.models import File
from executions.models.file import State
from executions.sync import file_import
from executions.videogen import NotFound, RateLimited, VideoGenError

logger = logging.getLogger(__name__)

MAX_CONCURRENT = 5
MAX_SLEEP, MIN_SLEEP = 5.0, 1.0  # seconds; MIN_SLEEP while a file is due soon
LEASE = timedelta(seconds=120)
# Seconds between polls of an upload that VideoGen processes. Webhooks usually report it sooner (docs/api-notes.md#uploads).
PROCESSING_DELAYS = (2, 3, 5, 10, 20, 30, 60)
# Seconds between polls for data that follows after a file is ready: its analysis, or its public playback id.
FOLLOW_UP_DELAYS = (5, 15, 60, 300, 900)
ANALYSIS_DONE = ("FULFILLED", "REJECTED")


def claim_due(limit: int) -> list[File]:
    """Claim files that are due, the longest due first."""
    return File.objects.order_by("next_poll_at").claim(limit, LEASE)


class FileWorker(Worker):
    """Several may share a database: each due file is claimed by one of them."""

    name = "file"

    async def step(self) -> float:
        await self.work()
        return MIN_SLEEP if await runtime.in_db(_has_due_soon) else MAX_SLEEP

    async def work(self) -> None:
        """Process all due files, then import the account's files."""
        due = await runtime.in_db(claim_due, MAX_CONCURRENT)
        while due:
            await asyncio.gather(*(self._guarded(file) for file in due))
            self.beat(self.max_step)
            due = await runtime.in_db(claim_due, MAX_CONCURRENT)
        await file_import.run()

    async def _guarded(self, file: File) -> None:
        """Errors of one file do not affect the others."""
        try:
            await process(file)
        except Exception:
            logger.exception("File %s: unexpected error, will retry when its lease expires", file.pk)


def _has_due_soon() -> bool:
    return File.objects.filter(next_poll_at__lte=timezone.now() + timedelta(seconds=MAX_SLEEP)).exists()


async def process(file: File) -> None:
    """Do what is due for a claimed file, and schedule its next check."""
    now = timezone.now()
    try:
        if (
            file.archived_at
            and file.archive_reported_at is None
            and file.archived_at + file_actions.UNDO_WINDOW <= now
        ):
            await file_actions.hide_at_videogen(file)
        if file.public_since and file.public_until and file.public_until <= now:
            await file_actions.withdraw(file, policy.SYSTEM)
        if file.state in (State.UPLOADING, State.PROCESSING):
            await _poll_upload(file)
        elif _needs_follow_up(file):
            await poll_budget.shared.spend()
            await runtime.in_db(store_file, await runtime.client().get_file(file.remote_id))
    except NotFound:
        if not await runtime.in_db(_handle_not_found, file):
            return
    except VideoGenError as error:
        await api_health.record_error(error)
        seconds = (error.retry_after or 60.0) if isinstance(error, RateLimited) else 30.0 * (file.polls + 1)
        await runtime.in_db(_reschedule, file, timezone.now() + timedelta(seconds=min(seconds, 3600.0)))
        return
    await runtime.in_db(_schedule_next, file)


async def _poll_upload(file: File) -> None:
    if file.state == State.UPLOADING:
        await runtime.in_db(uploads.fail_abandoned)
        return
    wire = await runtime.client().hydrate_file(file.remote_id)
    stored = await runtime.in_db(store_file, wire)
    await runtime.in_db(uploads.apply_report, stored, wire)


def _handle_not_found(file: File) -> bool:
    """Record that VideoGen has no such file.

    False if the file is newer than TRUST_404_AFTER, when a 404 may be wrong; it is then checked again.
    """
    if not signed_urls.mark_gone(file.remote_id):
        _reschedule(file, timezone.now() + signed_urls.TRUST_404_AFTER / 6)
        return False
    failed = {"state": State.FAILED, "problem": "VideoGen no longer has this file."}
    if file.state == State.PROCESSING:
        File.objects.filter(pk=file.pk).update(**failed)
    return True


def _reschedule(file: File, at: datetime) -> None:
    File.objects.filter(pk=file.pk).update(next_poll_at=at, polls=file.polls + 1)


def _schedule_next(before: File) -> None:
    """Schedule the next check by what the file still needs; none if it needs nothing."""
    file = File.objects.get(pk=before.pk)
    now = timezone.now()
    times: list[datetime] = []
    if file.archived_at and file.archive_reported_at is None:
        times.append(file.archived_at + file_actions.UNDO_WINDOW)
    if file.public_since and file.public_until:
        times.append(file.public_until)
    polls = before.polls + 1
    if file.state == State.UPLOADING:
        times.append(file.created_at + uploads.ABANDONED_AFTER)
    elif file.state == State.PROCESSING:
        times.append(
            now + timedelta(seconds=PROCESSING_DELAYS[min(before.polls, len(PROCESSING_DELAYS) - 1)])
        )
    elif before.state == State.PROCESSING and _needs_follow_up(file):
        polls = 0
        times.append(now + timedelta(seconds=FOLLOW_UP_DELAYS[0]))
    elif _needs_follow_up(file) and polls < len(FOLLOW_UP_DELAYS):
        times.append(now + timedelta(seconds=FOLLOW_UP_DELAYS[polls]))
    File.objects.filter(pk=file.pk).update(next_poll_at=min(times) if times else None, polls=polls)


def _needs_follow_up(file: File) -> bool:
    """Whether its analysis is pending (uploads only: there are many results), or its public playback id."""
    if file.state != State.READY:
        return False
    if file.public_since and file.type in ("VIDEO", "AUDIO") and not file.raw.get("publicPlaybackId"):
        return True
    return file.origin == "upload" and file.scope != "TEMPORARY" and file.analysis_state not in ANALYSIS_DONE
