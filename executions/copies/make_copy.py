"""Makes requested copies in the background, a few at a time."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from django.db import DatabaseError
from django.utils import timezone

from executions.copies import download as copy_download
from executions.copies import requests as copy_requests
from executions.copies import storage as copy_storage
from executions.core import runtime
from executions.core.worker import Worker
from executions.files import signed_urls
from executions.files.media_types import VIDEO
from executions.models import CopyRequest
from executions.team import settings as team_settings

logger = logging.getLogger(__name__)

MAX_CONCURRENT = 2
# Seconds between two progress updates of a copy; each also renews the lease.
PROGRESS_INTERVAL = 1.0


class CopyWorker(Worker):
    """Any number of processes may run one; a lease decides which of them makes a copy."""

    name = "copy"

    def __init__(self) -> None:
        super().__init__()
        self._has_swept = False

    async def run(self) -> None:
        try:
            await super().run()
        finally:
            # An interrupted copy continues where it stopped, once its lease expires.
            await self.drain(0)

    async def step(self) -> None:
        if not self._has_swept:
            await runtime.in_reader(copy_requests.sweep_parts)
            self._has_swept = True
        room = MAX_CONCURRENT - len(self.tasks)
        if room <= 0:
            return
        if await runtime.in_reader(team_settings.get, team_settings.COPY_ALL):
            await runtime.in_db(copy_requests.request_missing)
        for copy_request in await runtime.in_db(copy_requests.claim_due, room):
            self.start_task(make(copy_request), f"the copy of file {copy_request.file_id}")


async def make(copy_request: CopyRequest) -> None:
    """Make one claimed copy and store the outcome."""
    is_over = asyncio.Event()
    working = asyncio.create_task(_make_copy(copy_request))
    reporting = asyncio.create_task(_report_progress(copy_request, working, is_over))
    copied: copy_requests.StoredCopy | None = None
    problem, options = "", dict[str, bool]()
    try:
        copied = await working
    except signed_urls.Gone as gone:
        await asyncio.to_thread(copy_storage.drop_part, copy_request.file)
        copy_request.received = 0
        problem, options = f"{gone} There is nothing to copy.", {"permanent": True}
    except (signed_urls.NotReady, copy_download.DownloadInterrupted, copy_storage.StoreFailed) as error:
        problem = str(error)
    except (copy_storage.DiskFull, OSError) as error:
        full = isinstance(error, copy_storage.DiskFull) or copy_storage.is_disk_full(error)
        problem, options = (
            (copy_storage.DISK_FULL_MESSAGE, {"retry_forever": True})
            if full
            else (f"It could not be written: {error}.", {})
        )
        if full:
            # Free the space of the incomplete part for other copies.
            await asyncio.to_thread(copy_storage.drop_part, copy_request.file)
            copy_request.received, copy_request.validator = 0, ""
    finally:
        working.cancel()
        is_over.set()
        # Wait for a progress update that is being written: it changes the lease.
        await asyncio.gather(working, reporting, return_exceptions=True)
    if copied is not None:
        await runtime.in_db(copy_requests.complete, copy_request, copied)
    else:
        logger.warning("Could not copy file %s: %s", copy_request.file_id, problem)
        await runtime.in_db(copy_requests.record_failure, copy_request, problem, **options)


async def _make_copy(copy_request: CopyRequest) -> copy_requests.StoredCopy:
    complete = await copy_download.fetch(copy_request)
    name = copy_storage.name_of(copy_request.file, complete.mime)
    stored_name = await asyncio.to_thread(copy_storage.store, complete.part, name, complete.mime)
    thumbnail = "" if complete.mime.startswith("image/") else await _thumbnail(copy_request)
    return copy_requests.StoredCopy(stored_name, complete.sha256, complete.size, complete.mime, thumbnail)


async def _thumbnail(copy_request: CopyRequest) -> str:
    """The thumbnail of a video, stored with its copy. Errors are logged; the copy succeeds without it."""
    if copy_request.file.type != VIDEO:
        return ""
    try:
        picture, mime = await copy_download.thumbnail(copy_request.file)
        name = copy_storage.name_of(copy_request.file, mime, "-thumbnail")
        return await asyncio.to_thread(copy_storage.put, name, picture)
    except (
        signed_urls.Gone,
        signed_urls.NotReady,
        copy_download.DownloadInterrupted,
        copy_storage.DiskFull,
        copy_storage.StoreFailed,
    ) as error:
        logger.info("Could not store the thumbnail of file %s: %s", copy_request.file_id, error)
        return ""


async def _report_progress(
    copy_request: CopyRequest, working: asyncio.Task[copy_requests.StoredCopy], is_over: asyncio.Event
) -> None:
    """Store the progress and renew the lease, until `is_over`. Stops the work if another worker has the lease."""
    reported, last = 0, timezone.now()
    while not is_over.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(PROGRESS_INTERVAL):
                await is_over.wait()
                return
        if copy_request.received == reported and timezone.now() - last < copy_requests.LEASE / 4:
            continue
        try:
            held = await runtime.in_db(copy_requests.renew, copy_request)
        except DatabaseError as error:
            logger.warning("Could not store the progress of a copy: %s", error)
            continue
        if not held:
            working.cancel()
            return
        reported, last = copy_request.received, timezone.now()
