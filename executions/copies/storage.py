"""Storage of copies: a folder, or a bucket of an S3-compatible service (settings.STORAGES["copies"]).

A copy is downloaded to a part file on the local disk and stored only when it is complete.
"""

from __future__ import annotations

import asyncio
import errno
import mimetypes
import os
import re
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.core.files import File as Content
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages

from executions.models import File

# Bytes of disk space that copies leave free, for the database.
RESERVE = 256 * 1024 * 1024
# Bytes of a copy that are read at once. A server reads the next ones when its client has taken these.
CHUNK_SIZE = 256 * 1024
# Seconds until a signed URL of a copy in a bucket expires.
SIGNED_FOR = 3600
DISK_FULL_MESSAGE = (
    "The disk of Rushes is full. An admin needs to free some space; Rushes retries automatically."
)
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# For types where the standard library has no extension, or an unusual one.
EXTENSIONS = {"image/jpeg": ".jpg", "audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/x-wav": ".wav"}
EXTENSIONS |= {"audio/mp4": ".m4a", "audio/ogg": ".ogg", "audio/flac": ".flac", "image/avif": ".avif"}


class DiskFull(Exception):
    """The disk is full or nearly full."""


class StoreFailed(Exception):
    """The storage did not accept the copy. The message says why."""


def storage() -> Storage:
    return storages["copies"]


def is_folder() -> bool:
    return isinstance(storage(), FileSystemStorage)


def part_of(file: File) -> Path:
    """The path of the file's part. For folder storage it is on the same disk, so that the move is atomic."""
    folder = Path(settings.COPY_PARTS)
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{file.pk}.part"


def parts() -> list[Path]:
    """The part files on this disk."""
    found = Path(settings.COPY_PARTS).glob("*.part")
    return [path for path in found if re.fullmatch(r"[0-9a-f-]{36}", path.stem)]


def drop_part(file: File) -> None:
    part_of(file).unlink(missing_ok=True)


def name_of(file: File, mime: str, addition: str = "") -> str:
    """The same name at every try, so that a copy made twice is stored once."""
    return f"{file.pk.hex[:4]}/{file.pk}{addition}{extension(mime)}"


def extension(mime: str) -> str:
    return EXTENSIONS.get(mime) or mimetypes.guess_extension(mime) or ".bin"


def free_bytes() -> int:
    """Bytes of disk space available for copies."""
    Path(settings.COPY_PARTS).mkdir(parents=True, exist_ok=True)
    return max(0, shutil.disk_usage(settings.COPY_PARTS).free - RESERVE)


def check_free_bytes(more: int) -> None:
    """Raises DiskFull if there is no space for `more` bytes."""
    if free_bytes() < more:
        raise DiskFull(DISK_FULL_MESSAGE)


def is_disk_full(error: OSError) -> bool:
    return error.errno in _DISK_FULL


if TYPE_CHECKING:
    BytesFile = Content[bytes]
else:
    BytesFile = Content  # generic only for type checkers


class _Part(BytesFile):
    """A complete part. Folder storage moves it; a bucket uploads it in pieces."""

    def __init__(self, path: Path, handle: Any, mime: str) -> None:
        super().__init__(handle, name=path.name)
        self.content_type = mime
        if is_folder():
            self.temporary_file_path = lambda: str(path)


def store(part: Path, name: str, mime: str) -> str:
    """Move a complete part into the storage. Returns its name there. Raises DiskFull or StoreFailed."""
    try:
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
            stored = storage().save(name, _Part(part, handle, mime))
    except OSError as error:
        raise (
            DiskFull(DISK_FULL_MESSAGE)
            if is_disk_full(error)
            else StoreFailed(f"The copy could not be stored: {error.strerror}.")
        ) from None
    except Exception as error:
        # Any library may serve the bucket. Its messages may contain URLs, so report only the class.
        raise StoreFailed(f"The storage did not accept the copy ({type(error).__name__}).") from None
    part.unlink(missing_ok=True)
    return stored


def put(name: str, content: bytes) -> str:
    """Store something small. Returns its name in the storage. Raises DiskFull or StoreFailed."""
    try:
        check_free_bytes(len(content))
        return storage().save(name, ContentFile(content))
    except DiskFull:
        raise
    except Exception as error:
        raise StoreFailed(f"The storage did not accept the copy ({type(error).__name__}).") from None


def path(name: str) -> Path:
    """The path of a stored copy in folder storage. The file may have been removed by hand."""
    return Path(storage().path(name))


async def chunks(path: Path, first: int, last: int) -> AsyncGenerator[bytes]:
    """The bytes of a copy from `first` to `last`, both included. Raises OSError."""
    handle: IO[bytes] = await asyncio.to_thread(path.open, "rb")
    try:
        await asyncio.to_thread(handle.seek, first)
        left = last - first + 1
        while left and (chunk := await asyncio.to_thread(handle.read, min(CHUNK_SIZE, left))):
            left -= len(chunk)
            yield chunk
    finally:
        handle.close()


def url(name: str, mime: str, disposition: str) -> str:
    """A signed URL of a stored copy in a bucket; it expires after SIGNED_FOR seconds."""
    parameters = {"ResponseContentDisposition": disposition, "ResponseContentType": mime}
    # Only the storage of a bucket takes these arguments.
    signed: str = storage().url(name, parameters=parameters, expire=SIGNED_FOR)  # type: ignore[call-arg]
    return signed
