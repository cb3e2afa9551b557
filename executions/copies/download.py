"""Downloads the best rendition of a file to the local disk, and resumes where an earlier attempt stopped."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from executions.copies import storage as copy_storage
from executions.files import media_download, media_http, signed_urls
from executions.files.media_types import HEAD_BYTES, IMAGE, media_type, stored_type
from executions.models import CopyRequest, File

# Bytes that are written and hashed at once.
CHUNK_SIZE = 1024 * 1024
# Chunks written between two checks of the free disk space.
SPACE_CHECK_INTERVAL = 64
MAX_THUMBNAIL_SIZE = 4 * 1024 * 1024  # bytes

UNREACHABLE = "VideoGen's storage cannot be reached."
CONNECTION_LOST = "The connection to VideoGen's storage was lost."


class DownloadInterrupted(Exception):
    """The download is not complete; the message says why. The next attempt resumes it."""


@dataclass(frozen=True)
class CompleteDownload:
    """A complete file on the local disk, checked against its announced length."""

    part: Path
    sha256: str
    size: int
    mime: str


async def fetch(copy_request: CopyRequest) -> CompleteDownload:
    """Download the rest of the file, and update the progress in `copy_request`.

    Raises DownloadInterrupted, signed_urls.Gone, signed_urls.NotReady, copy_storage.DiskFull or OSError.
    """
    part = copy_storage.part_of(copy_request.file)
    digest = await asyncio.to_thread(_hash_part, part, copy_request)
    content_type = ""
    # The part is already complete if the storage did not accept it last time.
    if not copy_request.received or copy_request.received != copy_request.total:
        content_type, digest = await _download_rest(part, copy_request, digest)
    with part.open("rb") as handle:
        head = handle.read(HEAD_BYTES)
    mime = stored_type(head, content_type)
    return CompleteDownload(part, digest.hexdigest(), copy_request.received, mime)


async def thumbnail(file: File) -> tuple[bytes, str]:
    """A file's thumbnail and its media type. Raises DownloadInterrupted, signed_urls.Gone or signed_urls.NotReady."""
    async with media_http.client() as http:
        url, _ = await signed_urls.signed_url(file, ("thumbnail",))
        try:
            response = await media_http.open_stream(http, url, {})
        except media_http.MediaUnreachable:
            raise DownloadInterrupted(UNREACHABLE) from None
        picture = bytearray()
        try:
            async for chunk in media_download.chunks(response):
                picture += chunk
                if len(picture) > MAX_THUMBNAIL_SIZE:
                    raise DownloadInterrupted("The thumbnail is too large.")
        except media_http.IncompleteResponse:
            raise DownloadInterrupted(CONNECTION_LOST) from None
        finally:
            await response.aclose()
    found = media_type(bytes(picture[:HEAD_BYTES]))
    if response.status_code != 200 or found is None or found.type != IMAGE:
        raise DownloadInterrupted("The file has no thumbnail.")
    return bytes(picture), found.mime


async def _download_rest(part: Path, copy_request: CopyRequest, digest: Any) -> tuple[str, Any]:
    """Append the missing bytes to the part. Returns the Content-Type and the digest of the whole file."""
    async with media_http.client() as http:
        response = await _open(http, copy_request)
        try:
            if response.status_code == 200 and copy_request.received:
                # The file has changed, or its server does not support ranges: start again.
                copy_request.received, digest = 0, hashlib.sha256()
            length = media_download.length_of(response)
            copy_request.total = None if length is None else copy_request.received + length
            copy_request.validator = media_download.validator_of(response)
            missing = (copy_request.total or 0) - copy_request.received
            await asyncio.to_thread(copy_storage.check_free_bytes, missing)
            await _append(response, part, copy_request, digest)
        finally:
            await response.aclose()
    if copy_request.total is not None and copy_request.received != copy_request.total:
        raise DownloadInterrupted("The connection was lost before the file was complete.")
    if not copy_request.received:
        raise DownloadInterrupted("VideoGen's storage sent an empty file.")
    return response.headers.get("content-type", ""), digest


def _hash_part(part: Path, copy_request: CopyRequest) -> Any:
    """The digest of the bytes on disk, and their number in `received`. A part without a validator is deleted."""
    digest = hashlib.sha256()
    copy_request.received = 0
    if not copy_request.validator:
        part.unlink(missing_ok=True)
        return digest
    try:
        with part.open("rb") as handle:
            while chunk := handle.read(CHUNK_SIZE):
                digest.update(chunk)
                copy_request.received += len(chunk)
    except FileNotFoundError:
        pass
    return digest


async def _open(http: httpx.AsyncClient, copy_request: CopyRequest) -> httpx.Response:
    """The response with the missing bytes, or with the whole file. Raises DownloadInterrupted."""
    try:
        return await media_download.open_from(
            http, copy_request.file, copy_request.received, copy_request.validator
        )
    except media_http.MediaUnreachable:
        raise DownloadInterrupted(UNREACHABLE) from None
    except media_download.Changed:
        copy_request.received, copy_request.validator = 0, ""
        raise DownloadInterrupted(
            "The file at VideoGen's storage has changed. Rushes downloads it again."
        ) from None
    except media_download.DownloadRejected as error:
        raise DownloadInterrupted(f"VideoGen's storage answered {error.status}.") from None


async def _append(response: httpx.Response, part: Path, copy_request: CopyRequest, digest: Any) -> None:
    handle = await asyncio.to_thread(_lock, part, copy_request.received)
    count = 0
    try:
        buffer = bytearray()
        async for chunk in media_download.chunks(response):
            buffer += chunk
            if len(buffer) < CHUNK_SIZE:
                continue
            await asyncio.to_thread(_write, handle, digest, buffer)
            copy_request.received += len(buffer)
            buffer = bytearray()
            count += 1
            if count % SPACE_CHECK_INTERVAL == 0:
                await asyncio.to_thread(copy_storage.check_free_bytes, CHUNK_SIZE * SPACE_CHECK_INTERVAL)
        await asyncio.to_thread(_write, handle, digest, buffer)
        copy_request.received += len(buffer)
    except media_http.IncompleteResponse:
        raise DownloadInterrupted(CONNECTION_LOST) from None
    finally:
        await asyncio.to_thread(handle.close)


def _lock(part: Path, position: int) -> Any:
    """The part, locked, opened for writing at `position` and truncated there. Raises DownloadInterrupted."""
    handle = part.open("r+b" if position else "ab")
    try:
        # A worker that lost its lease without noticing may still be writing.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise DownloadInterrupted("Another process is writing this copy.") from None
    handle.seek(position)
    handle.truncate()
    return handle


def _write(handle: Any, digest: Any, chunk: bytearray) -> None:
    handle.write(chunk)
    # Without flushing, a full disk is only noticed when the file is closed.
    handle.flush()
    digest.update(chunk)
