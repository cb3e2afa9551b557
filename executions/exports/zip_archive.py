"""The results of many jobs as a ZIP, streamed while it is created: only one piece of one file is in memory at a time.

Media files are stored uncompressed, since compression would not make them smaller. Files that cannot be read are
listed in an entry at the end.
"""

from __future__ import annotations

import asyncio
import logging
import re
import unicodedata
import uuid
import zipfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.utils import timezone

from executions import policy
from executions.audit import record as audit_log
from executions.copies import storage as copy_storage
from executions.core import runtime
from executions.files import media_download, media_http, signed_urls
from executions.models import Batch, File, Result, Selection
from executions.models.event import ActKind
from executions.policy import Action, Actor

logger = logging.getLogger(__name__)

MAX_RESUMES = 3
MISSING = "_missing.txt"
# Entries that may exceed 2 GiB need ZIP64 headers.
ZIP64_LIMIT = 2**31 - 1


@dataclass(frozen=True)
class Entry:
    """A result: its file, and its name in the archive without the extension, which depends on the file's URL."""

    file_id: uuid.UUID
    stem: str


class SourceError(Exception):
    """A file cannot be read, or not completely; the message says why."""


def export_batch(batch: Batch, actor: Actor) -> list[Entry]:
    """The entries of the batch's archive, recorded as an export unless there are none. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.FILE_DOWNLOAD)
    entries = batch_entries(batch)
    if entries:
        audit_log.record(
            ActKind.EXPORTED, actor_id=actor_id, subject=batch, name=batch.name, results=len(entries)
        )
    return entries


def export_selection(selection: Selection, actor: Actor) -> list[Entry]:
    """The entries of the archive of selected jobs, recorded as an export unless there are none. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.FILE_DOWNLOAD)
    entries = _job_entries([uuid.UUID(each) for each in selection.ids])
    if entries:
        audit_log.record(
            ActKind.EXPORTED,
            actor_id=actor_id,
            subject=selection,
            name=f"results of {len(selection.ids)} jobs",
            jobs=selection.ids,
            format="zip",
        )
    return entries


def batch_entries(batch: Batch) -> list[Entry]:
    """The batch's results in the order of its jobs, with unique names that are valid on all systems."""
    return _job_entries(list(batch.executions.order_by("id").values_list("pk", flat=True)))


def _job_entries(ids: Sequence[uuid.UUID]) -> list[Entry]:
    """The results of these jobs in this order, named in the same way."""
    numbers = {pk: number for number, pk in enumerate(ids, 1)}
    rows = sorted(
        Result.objects.filter(execution__in=ids).values_list(
            "file_id", "execution_id", "position", "execution__prompt"
        ),
        key=lambda row: (numbers[row[1]], row[2]),
    )
    with_several = {execution_id for _, execution_id, position, _ in rows if position}
    entries = []
    for file_id, execution_id, position, title in rows:
        take = f"-{position + 1}" if execution_id in with_several else ""
        entries.append(Entry(file_id, f"{numbers[execution_id]:03}{take}{safe_name(title)}"))
    return entries


def safe_name(title: str) -> str:
    """The words of a title as a suffix of a file name, with a leading space; without special characters."""
    normalized = unicodedata.normalize("NFC", title)
    words = re.sub(r"[^\w]+", "-", normalized).strip("-_")
    # Systems limit names in bytes, and a character can have four.
    short = words.encode()[:80].decode(errors="ignore").strip("-_")
    return f" {short}" if short else ""


async def stream(entries: list[Entry]) -> AsyncGenerator[bytes]:
    """The archive, piece by piece."""
    pipe = Pipe()
    missing: list[str] = []
    async with media_http.client() as client:
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]  # write-only
            for each in entries:
                try:
                    async with aclosing(_entry(archive, pipe, client, each)) as pieces:
                        async for piece in pieces:
                            yield piece
                except SourceError as error:
                    missing.append(str(error))
                if pipe.parts:
                    yield pipe.take()
            if missing:
                text = (
                    "These files could not be added to the archive:\r\n\r\n" + "\r\n".join(missing) + "\r\n"
                )
                archive.writestr(entry_info(MISSING), text)
    yield pipe.take()


async def _entry(
    archive: zipfile.ZipFile, pipe: Pipe, client: httpx.AsyncClient, entry: Entry
) -> AsyncGenerator[bytes]:
    """One file of the archive. Raises SourceError; the archive then contains the part that was read."""
    try:
        source = await open_source(client, await runtime.in_reader(File.objects.get, pk=entry.file_id))
    except SourceError as error:
        raise SourceError(f"{entry.stem}: {error}") from None
    async with aclosing(source):
        name = entry.stem + source.extension
        large = source.size is None or source.size > ZIP64_LIMIT
        with archive.open(entry_info(name), "w", force_zip64=large) as output:
            try:
                async with aclosing(source.pieces()) as pieces:
                    async for piece in pieces:
                        output.write(piece)
                        yield pipe.take()
            except SourceError as error:
                raise SourceError(f"{name} is incomplete: {error}") from None


async def open_source(client: httpx.AsyncClient, file: File) -> ArchiveSource | Copy:
    """Open the file at VideoGen, or its copy if VideoGen no longer has it. Raises SourceError."""
    has_copy = file.copied_at is not None
    if not has_copy or file.gone_at is None:
        source = ArchiveSource(client, file)
        try:
            await source.open()
            return source
        except SourceError:
            if not has_copy:
                raise
    copy = Copy(file)
    try:
        await copy.open()
        return copy
    except Exception:
        # The storage is a folder or a bucket, which raise different errors.
        raise SourceError("VideoGen no longer has the file, and the Rushes copy cannot be read") from None


def entry_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=timezone.now().timetuple()[:6])
    info.external_attr = 0o644 << 16
    return info


class Pipe:
    """A buffer for the archive's output. It cannot seek, which the ZIP format permits."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        taken, self.parts = b"".join(self.parts), []
        return taken


class ArchiveSource:
    """A file at VideoGen, read from a signed URL. A broken download is resumed, up to MAX_RESUMES times."""

    def __init__(self, client: httpx.AsyncClient, file: File) -> None:
        self.client = client
        self.file = file
        self.response: httpx.Response | None = None
        self.validator = ""
        self.received = 0
        self.extension = ""
        self.size: int | None = None

    async def open(self) -> None:
        self.response = await self._request()
        self.extension = _extension(self.response)
        self.size = media_download.length_of(self.response)
        self.validator = media_download.validator_of(self.response)

    async def pieces(self) -> AsyncGenerator[bytes]:
        for resumes in range(MAX_RESUMES + 1):
            try:
                assert self.response is not None
                # As received, at most 64 KiB: collecting larger pieces would lose data when the connection breaks.
                async with aclosing(media_download.chunks(self.response)) as chunks:
                    async for chunk in chunks:
                        self.received += len(chunk)
                        yield chunk
                return
            except media_http.IncompleteResponse:
                logger.info("Download of file %s was interrupted after %d bytes", self.file.pk, self.received)
                await self.aclose()
                if resumes == MAX_RESUMES:
                    raise self._interrupted() from None
            self.response = await self._request()

    async def aclose(self) -> None:
        if self.response is not None:
            await self.response.aclose()

    async def _request(self) -> httpx.Response:
        """Request the bytes that were not received yet. Raises SourceError."""
        try:
            response = await media_download.open_from(self.client, self.file, self.received, self.validator)
        except (signed_urls.Gone, signed_urls.NotReady) as error:
            raise SourceError(str(error)) from None
        except media_http.MediaUnreachable:
            raise SourceError("the media server cannot be reached") from None
        except media_download.Changed:
            raise SourceError("the file has changed during the download") from None
        except media_download.DownloadRejected as error:
            raise SourceError(f"the media server answered {error.status}") from None
        if self.received and response.status_code == 200:
            # The server sends the whole file again, but the archive already contains the beginning.
            await response.aclose()
            raise self._interrupted()
        return response

    def _interrupted(self) -> SourceError:
        return SourceError(f"the connection was lost after {self.received} bytes")


class Copy:
    """A file's copy in the storage of Rushes. The library of a bucket downloads it to a local file first."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.size: int | None = file.copy_bytes
        self.extension = copy_storage.extension(file.copy_type)
        self.handle: Any = None

    async def open(self) -> None:
        self.handle = await asyncio.to_thread(copy_storage.storage().open, self.file.copy_path)

    async def pieces(self) -> AsyncGenerator[bytes]:
        try:
            while piece := await asyncio.to_thread(self.handle.read, copy_storage.CHUNK_SIZE):
                yield piece
        except Exception:
            raise SourceError("the Rushes copy could not be read") from None

    async def aclose(self) -> None:
        if self.handle is not None:
            await asyncio.to_thread(self.handle.close)


def _extension(response: httpx.Response) -> str:
    """The file extension, from the URL or else from the media type."""
    suffix = PurePosixPath(urlsplit(str(response.url)).path).suffix.lower()
    if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix):
        return suffix
    media = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return copy_storage.extension(media)
