"""Signed URLs of files: from the stored snapshot while they are valid, otherwise signed afresh by VideoGen."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Sequence
from datetime import timedelta

from django.utils import timezone

from executions.core import runtime
from executions.files.store import store_file
from executions.limits import api_health
from executions.models import File
from executions.videogen import FileSource, NotFound, RemoteFile, VideoGenError

# Seconds for which a URL must remain valid when it is returned (docs/api-notes.md#signed-urls).
MIN_VALIDITY = 90
# A 404 for a file newer than this is ignored (docs/api-notes.md#polling).
TRUST_404_AFTER = timedelta(minutes=1)
# Renditions for downloading the file, best first.
BEST_RENDITIONS = ("download", "preview")

_hydrations: weakref.WeakValueDictionary[str, asyncio.Task[RemoteFile]] = weakref.WeakValueDictionary()


class Gone(Exception):
    """VideoGen no longer has the file."""


class NotReady(Exception):
    """There is no usable URL at the moment."""


async def signed_url(file: File, renditions: Sequence[str], *, fresh: bool = False) -> tuple[str, float]:
    """The URL of the first available one of `renditions`, and the seconds for which it is valid.

    `fresh` skips the stored URL, for callers for whom the media server rejected it. Raises Gone or NotReady.

    A URL that was just signed is returned even if it expires soon or seems to have expired: then either the local
    clock is wrong or VideoGen signs for shorter times.
    """
    stored = RemoteFile.from_wire(file.snapshot) if file.snapshot and not fresh else None
    found = _usable(stored, renditions, MIN_VALIDITY) if stored else None
    if found is None:
        found = _usable(await _hydrated(file), renditions, -math.inf)
    if found is None:
        raise NotReady("VideoGen is still preparing this file. Try again in a moment.")
    return found


async def _hydrated(file: File) -> RemoteFile:
    """Have VideoGen sign fresh URLs. Concurrent callers share one request."""
    task = _hydrations.get(file.remote_id)
    if task is None or task.done() or task.get_loop() is not asyncio.get_running_loop():
        task = asyncio.get_running_loop().create_task(_hydrate(file.remote_id))
        _hydrations[file.remote_id] = task
    return await asyncio.shield(task)


async def _hydrate(remote_id: str) -> RemoteFile:
    try:
        wire = await runtime.client().hydrate_file(remote_id)
    except NotFound:
        if not await runtime.in_db(mark_gone, remote_id):
            raise NotReady("VideoGen does not know this file yet. Try again in a moment.") from None
        raise Gone("VideoGen no longer has this file.") from None
    except VideoGenError as error:
        await api_health.record_error(error)
        raise NotReady(f"VideoGen returned no URL for this file: {error.message}") from None
    await runtime.in_db(store_file, wire)
    return wire


def mark_gone(remote_id: str) -> bool:
    """Mark the file as gone after a 404. False, without a change, if the file is newer than TRUST_404_AFTER."""
    now = timezone.now()
    if File.objects.filter(remote_id=remote_id, created_at__gt=now - TRUST_404_AFTER).exists():
        return False
    File.objects.filter(remote_id=remote_id, gone_at=None).update(gone_at=now)
    return True


def _usable(file: RemoteFile, renditions: Sequence[str], min_validity: float) -> tuple[str, float] | None:
    now = timezone.now()
    for name in renditions:
        source: FileSource | None = getattr(file, name)
        if source is None or source.status != "ready" or source.url is None:
            continue
        validity = (source.expires_at - now).total_seconds() if source.expires_at else math.inf
        if validity > min_validity:
            return source.url, validity
    return None
