"""Signed addresses of files: taken from what was last told while they are good, else asked for anew."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from executions.core import runtime
from executions.files.store import keep_file
from executions.limits import api_health
from executions.models import File
from executions.videogen import File as WireFile
from executions.videogen import FileSource, NotFound, VideoGenError

# Seconds that an address must still be good for when it is handed out (docs/api-notes.md#signed-urls).
MARGIN = 90
# A 404 for a file this young is not believed (docs/api-notes.md#polling).
YOUNG = timedelta(minutes=1)
# Renditions by worth, the first that there is: for whoever wants the file itself.
BEST = ("download", "preview")

_asking: weakref.WeakValueDictionary[str, asyncio.Task[WireFile]] = weakref.WeakValueDictionary()


class Gone(Exception):
    """VideoGen no longer has the file."""


class NotReady(Exception):
    """There is no usable address now; later there may be one."""


async def signed_url(file: File, renditions: Sequence[str], *, fresh: bool = False) -> tuple[str, float]:
    """The address of the first of `renditions` that there is, and for how many seconds it is good.

    `fresh` asks for a new one in any case: for whoever was refused at the one that is known.

    Raises Gone or NotReady. An address that was signed a moment ago is taken as it is: where its end lies close
    or behind us, it is our clock that is wrong, or VideoGen gives no longer ones.
    """
    known = WireFile.from_wire(file.snapshot) if file.snapshot and not fresh else None
    found = _usable(known, renditions, MARGIN) if known else None
    if found is None:
        found = _usable(await _hydrated(file), renditions, -math.inf)
    if found is None:
        raise NotReady("VideoGen is still preparing this file. Try again in a moment.")
    return found


async def _hydrated(file: File) -> WireFile:
    """Ask for fresh addresses; all who ask at the same time share one call."""
    task = _asking.get(file.remote_id)
    if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
        task = asyncio.get_running_loop().create_task(_hydrate(file.remote_id))
        _asking[file.remote_id] = task
    return await asyncio.shield(task)


async def _hydrate(remote_id: str) -> WireFile:
    try:
        wire = await runtime.client().hydrate_file(remote_id)
    except NotFound:
        if not await runtime.in_db(note_gone, remote_id):
            raise NotReady("VideoGen does not know this file yet. Try again in a moment.") from None
        raise Gone("VideoGen no longer has this file.") from None
    except VideoGenError as error:
        await api_health.record_error(error)
        raise NotReady(f"VideoGen gave no address for this file: {error.message}") from None
    await runtime.in_db(keep_file, wire)
    return wire


def note_gone(remote_id: str) -> bool:
    """VideoGen answered that it has no such file. Not believed, and False, of one that we heard of a moment ago."""
    now = timezone.now()
    if File.objects.filter(remote_id=remote_id, created_at__gt=now - YOUNG).exists():
        return False
    File.objects.filter(remote_id=remote_id, gone_at=None).update(gone_at=now)
    return True


def _usable(file: WireFile, renditions: Sequence[str], margin: float) -> tuple[str, float] | None:
    now = timezone.now()
    for name in renditions:
        source: FileSource | None = getattr(file, name)
        if source is None or source.status != "ready" or source.url is None:
            continue
        left = (source.expires_at - now).total_seconds() if source.expires_at else math.inf
        if left > margin:
            return source.url, left
    return None
