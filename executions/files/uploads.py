"""Uploads a person's file to VideoGen, and tracks it until it is ready.

The browser's upload is on the local disk before this starts. A slow browser therefore uses up no time of the presigned
URL, and if that expires, it is replaced by a new one with a new file (docs/api-notes.md#uploads).
"""

from __future__ import annotations

import asyncio
import logging
import math
import unicodedata
from datetime import timedelta
from typing import IO

from django.db import transaction
from django.utils import timezone

from executions import policy
from executions.core import runtime
from executions.files.media_types import ACCEPTED_TYPES, HEAD_BYTES, MediaType, media_type
from executions.limits import api_health
from executions.models import Event, File
from executions.models.event import FileKind, Source
from executions.models.file import FileOrigin, State
from executions.policy import Action, Actor
from executions.videogen import (
    Forbidden,
    InvalidRequest,
    RateLimited,
    RemoteFile,
    ResponseLost,
    ServerError,
    Unauthorized,
    Unreachable,
    VideoGenError,
)
from executions.videogen.upload import put_file

logger = logging.getLogger(__name__)

MAX_BYTES = 4 * 1024**3
MAX_NAME_LENGTH = 200  # characters
MAX_NAME_BYTES = 255
MAX_ATTEMPTS = 2
# An unfinished upload of this age has failed: its process has died.
ABANDONED_AFTER = timedelta(hours=3)
FIRST_POLL_AFTER = timedelta(seconds=2)
INTERRUPTED = "The upload was interrupted before the file was complete. Upload it again."


class UploadRejected(Exception):
    """`str()` is a message for the person, `status` the HTTP status for it."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def clean_name(name: str) -> str:
    """A file name that is safe to store and show: without a path or invisible characters, and not too long."""
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    # Control, format (right-to-left marks among them), surrogate and unassigned characters.
    name = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in name)
    name = " ".join(name.split()).strip(". ")
    if len(name) > MAX_NAME_LENGTH or len(name.encode()) > MAX_NAME_BYTES:
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending if dot and 0 < len(ending) <= 10 else ""
        stem = (stem if ending else name)[: MAX_NAME_LENGTH - len(ending)]
        room = MAX_NAME_BYTES - len(ending.encode())
        name = stem.encode()[:room].decode("utf-8", "ignore") + ending
    return name or "Untitled"


def check(head: bytes, size: int) -> MediaType:
    """The detected type. Raises UploadRejected for files that VideoGen cannot use."""
    if size <= 0:
        raise UploadRejected("The file is empty.")
    if size > MAX_BYTES:
        raise UploadRejected(f"The file is larger than {MAX_BYTES // 1024**3} GB.", 413)
    found = media_type(head)
    if found is None:
        raise UploadRejected(f"VideoGen does not accept this type of file. It accepts {ACCEPTED_TYPES}.", 415)
    return found


async def upload(source: IO[bytes], size: int, name: str, actor: Actor) -> File:
    """Upload `size` bytes of `source` as a file of this person. Raises UploadRejected, and leaves no partial file."""
    user_id = await runtime.in_db(policy.require, actor, Action.FILE_UPLOAD)
    head = await asyncio.to_thread(_head, source)
    kind = check(head, size)
    name = clean_name(name)
    file: File | None = None
    try:
        for attempts_left in reversed(range(MAX_ATTEMPTS)):
            target = await runtime.client().create_upload(name, type=kind.type)
            file = await runtime.in_db(_create_or_retarget, file, target.file_id, kind, name, size, user_id)
            try:
                await put_file(target.upload_url, source, size)
                break
            except (Forbidden, ResponseLost, ServerError, Unreachable) as error:
                # A presigned URL accepts one PUT: the next attempt needs a new file.
                logger.warning("Upload of file %s failed: %s", file.pk, error)
                if not attempts_left:
                    raise
    except VideoGenError as error:
        await api_health.record_error(error)
        refusal = _refusal(error)
        await runtime.in_db(_mark_failed, file, str(refusal))
        raise refusal from None
    except asyncio.CancelledError:
        await asyncio.shield(runtime.in_db(_mark_failed, file, "The upload was cancelled."))
        raise
    assert file is not None
    return await runtime.in_db(_mark_uploaded, file, user_id)


def _head(source: IO[bytes]) -> bytes:
    source.seek(0)
    return source.read(HEAD_BYTES)


def _refusal(error: VideoGenError) -> UploadRejected:
    match error:
        case RateLimited():
            minutes = math.ceil((error.retry_after or 60) / 60)
            wait = "a minute" if minutes == 1 else f"{minutes} minutes"
            return UploadRejected(
                f"VideoGen accepts no more uploads at the moment. Try again in {wait}.", 429
            )
        case Unauthorized():
            return UploadRejected(
                "VideoGen rejects the API key. Uploads are not possible until an admin corrects it.", 503
            )
        case InvalidRequest():
            return UploadRejected(f"VideoGen rejected the file: {error.message}", 422)
        case Forbidden():
            return UploadRejected(f"VideoGen did not accept the file: {error.message} Try again.", 502)
    return UploadRejected(f"{error.message} Nothing was uploaded. Try again.", 502)


def _create_or_retarget(
    file: File | None, remote_id: str, kind: MediaType, name: str, size: int, user_id: int | None
) -> File:
    """The row of an upload in progress. A second attempt is the same upload with another file at VideoGen."""
    if file is not None:
        File.objects.filter(pk=file.pk).update(remote_id=remote_id)
        file.remote_id = remote_id
        return file
    return File.objects.create(
        remote_id=remote_id,
        type=kind.type,
        display_name=name,
        bytes=size,
        origin=FileOrigin.UPLOAD,
        state=State.UPLOADING,
        created_by_id=user_id,
        next_poll_at=timezone.now() + ABANDONED_AFTER,
    )


def _mark_uploaded(file: File, user_id: int | None) -> File:
    """Record that VideoGen has the bytes. Its report that the file is ready may already have been applied."""
    now = timezone.now()
    with transaction.atomic():
        File.objects.filter(pk=file.pk, state=State.UPLOADING).update(
            state=State.PROCESSING, next_poll_at=now + FIRST_POLL_AFTER, updated_at=now
        )
        Event.objects.create(
            file=file,
            kind=FileKind.UPLOADED,
            source=Source.PERSON,
            actor_id=user_id,
            occurred_at=now,
            detail={"name": file.display_name, "bytes": file.bytes, "type": file.type},
        )
    return File.objects.get(pk=file.pk)


def _mark_failed(file: File | None, problem: str) -> None:
    if file is not None:
        File.objects.filter(pk=file.pk, state=State.UPLOADING).update(
            state=State.FAILED, problem=problem[:500], next_poll_at=None
        )


def fail_abandoned(older_than: timedelta = ABANDONED_AFTER) -> int:
    """Mark uploads as failed whose process has died, and return their number.

    A process that is the only one passes zero when it starts.
    """
    late = File.objects.filter(state=State.UPLOADING, created_at__lte=timezone.now() - older_than)
    return late.update(state=State.FAILED, problem=INTERRUPTED, next_poll_at=None)


def apply_report(file: File, wire: RemoteFile, failure: str = "") -> bool:
    """Update the state of an upload from VideoGen's report, and return whether it changed.

    `failure` is VideoGen's message, if it reports a failure.
    """
    if file.state == State.READY:
        return False
    if wire.is_ready:
        columns = {"state": State.READY, "problem": "", "next_poll_at": None, "polls": 0}
    elif (failure or wire.is_failed) and file.state == State.PROCESSING:
        problem = failure or "VideoGen could not process this file."
        columns = {"state": State.FAILED, "problem": problem[:500], "next_poll_at": None}
    else:
        return False
    return bool(File.objects.filter(pk=file.pk).exclude(state=State.READY).update(**columns))
