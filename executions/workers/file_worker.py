"""Looks after files in the background: uploads until they are ready, archives, public previews whose day has come.

A file that needs a look carries its time (`next_look_at`), which is also its lease (core/leasing.py), so any number of
processes may share the work. Between looks the account's list is read into the library (sync/file_import.py).
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

AT_ONCE = 5
LONGEST_REST, SHORT_REST = 5.0, 1.0  # seconds; the short one while something is due soon
CLAIM = timedelta(seconds=120)
# Seconds between looks at an upload that VideoGen prepares: events say the same sooner (docs/api-notes.md#uploads).
PREPARING = (2, 3, 5, 10, 20, 30, 60)
# Seconds until the next look for what comes after a file is ready: its analysis, or its public playback id.
LATER = (5, 15, 60, 300, 900)
ANALYSED = ("FULFILLED", "REJECTED")


def claim_due(limit: int) -> list[File]:
    """Take files whose look is due, the longest waiting first."""
    return File.objects.order_by("next_look_at").claim(limit, CLAIM)


class FileWorker(Worker):
    name = "file"

    async def step(self) -> float:
        await self.work()
        return SHORT_REST if await runtime.in_db(_something_soon) else LONGEST_REST

    async def work(self) -> None:
        """Everything that is due now, once."""
        due = await runtime.in_db(claim_due, AT_ONCE)
        while due:
            await asyncio.gather(*(self._guarded(file) for file in due))
            self.beat(self.max_step)
            due = await runtime.in_db(claim_due, AT_ONCE)
        await file_import.run()

    async def _guarded(self, file: File) -> None:
        """One file's trouble is not the others'."""
        try:
            await look_after(file)
        except Exception:
            logger.exception("Looking after file %s failed; it is looked at again later", file.pk)


def _something_soon() -> bool:
    return File.objects.filter(next_look_at__lte=timezone.now() + timedelta(seconds=LONGEST_REST)).exists()


async def look_after(file: File) -> None:
    """Do what is due for a claimed file, and set the time of its next look."""
    now = timezone.now()
    try:
        if (
            file.archived_at
            and file.archive_told_at is None
            and file.archived_at + file_actions.UNDO_WINDOW <= now
        ):
            await file_actions.hide_at_videogen(file)
        if file.public_since and file.public_until and file.public_until <= now:
            await file_actions.withdraw(file, policy.SYSTEM)
        if file.state in (State.UPLOADING, State.PROCESSING):
            await _ask_after_upload(file)
        elif _waits_for_more(file):
            await poll_budget.shared.spend()
            await runtime.in_db(store_file, await runtime.client().get_file(file.remote_id))
    except NotFound:
        if not await runtime.in_db(_gone, file):
            return
    except VideoGenError as error:
        await api_health.record_error(error)
        seconds = (error.retry_after or 60.0) if isinstance(error, RateLimited) else 30.0 * (file.looks + 1)
        await runtime.in_db(_again, file, timezone.now() + timedelta(seconds=min(seconds, 3600.0)))
        return
    await runtime.in_db(_plan, file)


async def _ask_after_upload(file: File) -> None:
    if file.state == State.UPLOADING:
        await runtime.in_db(uploads.fail_abandoned)
        return
    wire = await runtime.client().hydrate_file(file.remote_id)
    kept = await runtime.in_db(store_file, wire)
    await runtime.in_db(uploads.apply_report, kept, wire)


def _gone(file: File) -> bool:
    """False where that is not believed yet, and asked again."""
    if not signed_urls.mark_gone(file.remote_id):
        _again(file, timezone.now() + signed_urls.TRUST_404_AFTER / 6)
        return False
    failed = {"state": State.FAILED, "problem": "VideoGen no longer has this file."}
    if file.state == State.PROCESSING:
        File.objects.filter(pk=file.pk).update(**failed)
    return True


def _again(file: File, at: datetime) -> None:
    File.objects.filter(pk=file.pk).update(next_look_at=at, looks=file.looks + 1)


def _plan(before: File) -> None:
    """Set the next look by what the file still needs; none where there is nothing to wait for."""
    file = File.objects.get(pk=before.pk)
    now = timezone.now()
    times: list[datetime] = []
    if file.archived_at and file.archive_told_at is None:
        times.append(file.archived_at + file_actions.UNDO_WINDOW)
    if file.public_since and file.public_until:
        times.append(file.public_until)
    looks = before.looks + 1
    if file.state == State.UPLOADING:
        times.append(file.created_at + uploads.ABANDONED_AFTER)
    elif file.state == State.PROCESSING:
        times.append(now + timedelta(seconds=PREPARING[min(before.looks, len(PREPARING) - 1)]))
    elif before.state == State.PROCESSING and _waits_for_more(file):
        looks = 0
        times.append(now + timedelta(seconds=LATER[0]))
    elif _waits_for_more(file) and looks < len(LATER):
        times.append(now + timedelta(seconds=LATER[looks]))
    File.objects.filter(pk=file.pk).update(next_look_at=min(times) if times else None, looks=looks)


def _waits_for_more(file: File) -> bool:
    """Its analysis (uploads only: jobs are many), or the id for players of a file that was just opened."""
    if file.state != State.READY:
        return False
    if file.public_since and file.type in ("VIDEO", "AUDIO") and not file.raw.get("publicPlaybackId"):
        return True
    return file.origin == "upload" and file.scope != "TEMPORARY" and file.analysis_state not in ANALYSED
