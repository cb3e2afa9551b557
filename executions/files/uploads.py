"""Takes a file from a person to VideoGen, and follows it until it can be used.

The bytes lie on our disk when this begins. So a slow browser costs no time of the presigned address, and an
address that has expired is replaced by a new one, with a new file (docs/api-notes.md#uploads).
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
from executions.files.media_types import HEAD, TAKEN, MediaType, media_type
from executions.limits import api_health
from executions.models import Event, File
from executions.models.event import FileKind, Source
from executions.models.file import Origin, State
from executions.policy import Action, Actor
from executions.videogen import (
    AnswerLost,
    Forbidden,
    InvalidRequest,
    RateLimited,
    ServerError,
    Unauthorized,
    Unreachable,
    VideoGenError,
)
from executions.videogen import File as WireFile
from executions.videogen.upload import put_file

logger = logging.getLogger(__name__)

LARGEST = 4 * 1024**3  # bytes of one file
LONGEST_NAME = 200  # characters
LONGEST_NAME_BYTES = 255
TRIES = 2
# After this long an upload that was not finished is given up: its process is gone.
ABANDONED = timedelta(hours=3)
FIRST_LOOK = timedelta(seconds=2)
CUT_OFF = "The upload was cut off before the file was complete. Upload it again."


class UploadRefused(Exception):
    """`str()` is a sentence for the person; `status` the HTTP status that fits."""

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


def clean_name(name: str) -> str:
    """A file's name as it may be kept and shown: no path, nothing invisible, not too long."""
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2]
    # Control, format (right-to-left marks among them), surrogate and unassigned characters.
    name = "".join(" " if unicodedata.category(each)[0] in "CZ" else each for each in name)
    name = " ".join(name.split()).strip(". ")
    if len(name) > LONGEST_NAME or len(name.encode()) > LONGEST_NAME_BYTES:
        stem, dot, ending = name.rpartition(".")
        ending = dot + ending if dot and 0 < len(ending) <= 10 else ""
        stem = (stem if ending else name)[: LONGEST_NAME - len(ending)]
        room = LONGEST_NAME_BYTES - len(ending.encode())
        name = stem.encode()[:room].decode("utf-8", "ignore") + ending
    return name or "Untitled"


def check(head: bytes, size: int) -> MediaType:
    """What the bytes are. Raises UploadRefused for what VideoGen could do nothing with."""
    if size <= 0:
        raise UploadRefused("The file is empty.")
    if size > LARGEST:
        raise UploadRefused(f"The file is larger than {LARGEST // 1024**3} GB.", 413)
    found = media_type(head)
    if found is None:
        raise UploadRefused(
            f"This is not a file that VideoGen takes, whatever its name says. It takes {TAKEN}.", 415
        )
    return found


async def take_in(source: IO[bytes], size: int, name: str, actor: Actor) -> File:
    """Upload `size` bytes of `source` as a file of this person. Raises UploadRefused; nothing is half there then."""
    user_id = await runtime.in_db(policy.require, actor, Action.FILE_UPLOAD)
    head = await asyncio.to_thread(_head, source)
    kind = check(head, size)
    name = clean_name(name)
    file: File | None = None
    try:
        for tries_left in reversed(range(TRIES)):
            upload = await runtime.client().create_upload(name, type=kind.type)
            file = await runtime.in_db(_begun, file, upload.file_id, kind, name, size, user_id)
            try:
                await put_file(upload.upload_url, source, size)
                break
            except (Forbidden, AnswerLost, ServerError, Unreachable) as error:
                # An address takes one PUT: a second try needs a new file.
                logger.warning("The bytes of %s did not arrive: %s", file.pk, error)
                if not tries_left:
                    raise
    except VideoGenError as error:
        await api_health.record_error(error)
        refusal = _refusal(error)
        await runtime.in_db(_failed, file, str(refusal))
        raise refusal from None
    except asyncio.CancelledError:
        await asyncio.shield(runtime.in_db(_failed, file, "The upload was cancelled."))
        raise
    assert file is not None
    return await runtime.in_db(_arrived, file, user_id)


def _head(source: IO[bytes]) -> bytes:
    source.seek(0)
    return source.read(HEAD)


def _refusal(error: VideoGenError) -> UploadRefused:
    match error:
        case RateLimited():
            minutes = math.ceil((error.retry_after or 60) / 60)
            wait = "a minute" if minutes == 1 else f"{minutes} minutes"
            return UploadRefused(f"VideoGen takes no more uploads for now. Try again in {wait}.", 429)
        case Unauthorized():
            return UploadRefused(
                "VideoGen refuses our key, so nothing can be uploaded until it is put right.", 503
            )
        case InvalidRequest():
            return UploadRefused(f"VideoGen refused the file: {error.message}", 422)
        case Forbidden():
            return UploadRefused(f"VideoGen does not take the file: {error.message} Try again.", 502)
    return UploadRefused(f"{error.message} Nothing was uploaded. Try again.", 502)


def _begun(
    file: File | None, remote_id: str, kind: MediaType, name: str, size: int, user_id: int | None
) -> File:
    """The row of an upload that is under way; a second try is the same upload with another file behind it."""
    if file is not None:
        File.objects.filter(pk=file.pk).update(remote_id=remote_id)
        file.remote_id = remote_id
        return file
    return File.objects.create(
        remote_id=remote_id,
        type=kind.type,
        display_name=name,
        bytes=size,
        origin=Origin.UPLOAD,
        state=State.UPLOADING,
        created_by_id=user_id,
        next_look_at=timezone.now() + ABANDONED,
    )


def _arrived(file: File, user_id: int | None) -> File:
    """VideoGen has the bytes. Its word that the file is ready may have been faster than our thread."""
    now = timezone.now()
    with transaction.atomic():
        File.objects.filter(pk=file.pk, state=State.UPLOADING).update(
            state=State.PROCESSING, next_look_at=now + FIRST_LOOK, updated_at=now
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


def _failed(file: File | None, problem: str) -> None:
    if file is not None:
        File.objects.filter(pk=file.pk, state=State.UPLOADING).update(
            state=State.FAILED, problem=problem[:500], next_look_at=None
        )


def give_up_abandoned(older_than: timedelta = ABANDONED) -> int:
    """Uploads whose process died. With no time at all: for a process that knows to be alone, when it starts."""
    late = File.objects.filter(state=State.UPLOADING, created_at__lte=timezone.now() - older_than)
    return late.update(state=State.FAILED, problem=CUT_OFF, next_look_at=None)


def heard(file: File, wire: WireFile, failure: str = "") -> bool:
    """Apply what VideoGen says of a file to the state of its upload; whether that changed. `failure`: its words."""
    if file.state == State.READY:
        return False
    if wire.is_ready:
        columns = {"state": State.READY, "problem": "", "next_look_at": None, "looks": 0}
    elif (failure or wire.is_failed) and file.state == State.PROCESSING:
        words = failure or "VideoGen could not make anything of this file."
        columns = {"state": State.FAILED, "problem": words[:500], "next_look_at": None}
    else:
        return False
    return bool(File.objects.filter(pk=file.pk).exclude(state=State.READY).update(**columns))
