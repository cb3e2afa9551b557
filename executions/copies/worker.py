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
from executions.models import Keeping
from executions.team import settings as team_settings

logger = logging.getLogger(__name__)

AT_ONCE = 2
# Seconds between two progress updates of a copy; each also renews the claim.
NOTE_EVERY = 1.0


class CopyWorker(Worker):
    """Any number of processes may run one; a claim decides which of them makes a copy."""

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
        room = AT_ONCE - len(self.tasks)
        if room <= 0:
            return
        if await runtime.in_reader(team_settings.chosen, team_settings.KEEP_ALL):
            await runtime.in_db(copy_requests.ask_for_more)
        for mine in await runtime.in_db(copy_requests.claim_due, room):
            self.start_task(make(mine), f"the copy of file {mine.file_id}")


async def make(mine: Keeping) -> None:
    """Make one claimed copy and store the outcome."""
    over = asyncio.Event()
    working = asyncio.create_task(_made(mine))
    noting = asyncio.create_task(_note(mine, working, over))
    copied: copy_requests.Copied | None = None
    problem, how = "", dict[str, bool]()
    try:
        copied = await working
    except signed_urls.Gone as gone:
        await asyncio.to_thread(copy_storage.drop_part, mine.file)
        mine.received = 0
        problem, how = f"{gone} There is nothing to copy.", {"hopeless": True}
    except (signed_urls.NotReady, copy_download.Interrupted, copy_storage.StoreFailed) as error:
        problem = str(error)
    except (copy_storage.NoRoom, OSError) as error:
        full = isinstance(error, copy_storage.NoRoom) or copy_storage.no_room(error)
        problem, how = (
            (copy_storage.FULL, {"patient": True}) if full else (f"It could not be written: {error}.", {})
        )
        if full:
            # Free the space of the incomplete part for other copies.
            await asyncio.to_thread(copy_storage.drop_part, mine.file)
            mine.received, mine.validator = 0, ""
    finally:
        working.cancel()
        over.set()
        # Wait for a progress update that is being written: it changes the claim.
        await asyncio.gather(working, noting, return_exceptions=True)
    if copied is not None:
        await runtime.in_db(copy_requests.done, mine, copied)
    else:
        logger.warning("Could not copy file %s: %s", mine.file_id, problem)
        await runtime.in_db(copy_requests.failed, mine, problem, **how)


async def _made(mine: Keeping) -> copy_requests.Copied:
    whole = await copy_download.fetch(mine)
    name = copy_storage.name_of(mine.file, whole.mime)
    kept = await asyncio.to_thread(copy_storage.take_in, whole.part, name, whole.mime)
    thumbnail = "" if whole.mime.startswith("image/") else await _thumbnail(mine)
    return copy_requests.Copied(kept, whole.sha256, whole.size, whole.mime, thumbnail)


async def _thumbnail(mine: Keeping) -> str:
    """The thumbnail of a video, stored with its copy. Errors are logged; the copy succeeds without it."""
    if mine.file.type != VIDEO:
        return ""
    try:
        picture, mime = await copy_download.thumbnail(mine.file)
        name = copy_storage.name_of(mine.file, mime, "-thumbnail")
        return await asyncio.to_thread(copy_storage.put, name, picture)
    except (
        signed_urls.Gone,
        signed_urls.NotReady,
        copy_download.Interrupted,
        copy_storage.NoRoom,
        copy_storage.StoreFailed,
    ) as error:
        logger.info("Could not store the thumbnail of file %s: %s", mine.file_id, error)
        return ""


async def _note(mine: Keeping, working: asyncio.Task[copy_requests.Copied], over: asyncio.Event) -> None:
    """Store the progress and renew the claim; stop the work if another worker has taken it over."""
    noted, last = 0, timezone.now()
    while not over.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(NOTE_EVERY):
                await over.wait()
                return
        if mine.received == noted and timezone.now() - last < copy_requests.CLAIM / 4:
            continue
        try:
            held = await runtime.in_db(copy_requests.renew, mine)
        except DatabaseError as error:
            logger.warning("Could not store the progress of a copy: %s", error)
            continue
        if not held:
            working.cancel()
            return
        noted, last = mine.received, timezone.now()
