"""Looks after files in the background: uploads until they are ready, archives, public previews whose day has come,
and copies that are wanted (keeping/copyist.py).

A file that needs a look carries its time (`next_look_at`). A look is claimed by one UPDATE, so any number of
processes may share the work. Between looks the account's list is read into the library (account_walk.py).
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.utils import timezone

from executions.copies.worker import Copyist
from executions.core import runtime
from executions.files import actions as file_actions
from executions.files import signed_urls, uploads
from executions.files.store import keep_file
from executions.limits import api_health, poll_budget
from executions.models import File
from executions.models.file import State
from executions.sync import file_import
from executions.videogen import NotFound, RateLimited, VideoGenError

logger = logging.getLogger(__name__)

AT_ONCE = 5
LONGEST_REST = 5.0  # seconds
CLAIM = timedelta(seconds=120)
# Seconds between looks at an upload that VideoGen prepares: events say the same sooner (docs/api-notes.md#uploads).
PREPARING = (2, 3, 5, 10, 20, 30, 60)
# Seconds until the next look for what comes after a file is ready: its analysis, or its public playback id.
LATER = (5, 15, 60, 300, 900)
ANALYSED = ("FULFILLED", "REJECTED")


def claim_due(limit: int) -> list[File]:
    """Take files whose look is due, the longest waiting first."""
    now = timezone.now()
    due = File.objects.filter(next_look_at__lte=now).order_by("next_look_at")[:limit]
    return [
        file
        for file in due
        if File.objects.filter(pk=file.pk, next_look_at=file.next_look_at).update(next_look_at=now + CLAIM)
    ]


class Keeper:
    def __init__(self) -> None:
        self._woken = asyncio.Event()
        self._copyist = Copyist()

    def wake(self) -> None:
        """Look again now. From the loop only."""
        self._woken.set()
        self._copyist.wake()

    async def run(self) -> None:
        """Work until cancelled. What is cut is due again when its claim ends."""
        await asyncio.gather(self._run(), self._copyist.run())

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            rest = 1.0
            try:
                await self.work()
                rest = LONGEST_REST if not await runtime.in_db(_something_soon) else 1.0
            except DatabaseError as error:
                logger.warning("The database did not answer, trying again: %s", error)
            except Exception:
                logger.exception("The keeper of files stumbled, and goes on")
            try:
                async with asyncio.timeout(rest):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def work(self) -> None:
        """Everything that is due now, once."""
        due = await runtime.in_db(claim_due, AT_ONCE)
        while due:
            await asyncio.gather(*(self._guarded(file) for file in due))
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
        if file.archived_at and file.archive_told_at is None and file.archived_at + file_actions.UNDO <= now:
            await file_actions.tell_archived(file)
        if file.public_since and file.public_until and file.public_until <= now:
            await file_actions.withdraw(file, None)
        if file.state in (State.UPLOADING, State.PROCESSING):
            await _ask_after_upload(file)
        elif _waits_for_more(file):
            await poll_budget.shared.spend()
            await runtime.in_db(keep_file, await runtime.client().get_file(file.remote_id))
    except NotFound:
        if not await runtime.in_db(_gone, file):
            return
    except VideoGenError as error:
        await api_health.heard_error(error)
        seconds = (error.retry_after or 60.0) if isinstance(error, RateLimited) else 30.0 * (file.looks + 1)
        await runtime.in_db(_again, file, timezone.now() + timedelta(seconds=min(seconds, 3600.0)))
        return
    await runtime.in_db(_plan, file)


async def _ask_after_upload(file: File) -> None:
    if file.state == State.UPLOADING:
        await runtime.in_db(uploads.give_up_abandoned)
        return
    wire = await runtime.client().hydrate_file(file.remote_id)
    kept = await runtime.in_db(keep_file, wire)
    await runtime.in_db(uploads.heard, kept, wire)


def _gone(file: File) -> bool:
    """False where that is not believed yet, and asked again."""
    if not signed_urls.note_gone(file.remote_id):
        _again(file, timezone.now() + signed_urls.YOUNG / 6)
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
        times.append(file.archived_at + file_actions.UNDO)
    if file.public_since and file.public_until:
        times.append(file.public_until)
    looks = before.looks + 1
    if file.state == State.UPLOADING:
        times.append(file.created_at + uploads.ABANDONED)
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
