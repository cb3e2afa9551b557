"""The results of a batch as one ZIP, sent while it is made: one piece of one file at a time is in memory.

Media do not get smaller by compressing, so they are stored as they are. What cannot be had is named in an
entry at the end, and the rest is delivered.
"""

from __future__ import annotations

import asyncio
import logging
import mimetypes
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

from executions.copies import storage as copy_storage
from executions.core import runtime
from executions.files import signed_urls
from executions.models import Batch, File, Result

logger = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(30, connect=10)
# How often a file that broke off is gone on with where it stopped.
RESUMES = 3
MISSING = "_missing.txt"
# An entry that may grow beyond 2 GiB has longer numbers in its header.
LARGE = 2**31 - 1
PREFERRED = {"image/jpeg": ".jpg", "audio/mpeg": ".mp3", "audio/x-wav": ".wav", "audio/wav": ".wav"}


@dataclass(frozen=True)
class Wanted:
    """One result: its file, and the name it gets, without the ending, which its address tells."""

    file_id: uuid.UUID
    stem: str


class Broken(Exception):
    """A file cannot be had, or not to its end; the message says why."""


def wanted(batch: Batch) -> list[Wanted]:
    """The batch's results in the order of its jobs, each with a name of its own that every system can keep."""
    return wanted_of(list(batch.executions.order_by("id").values_list("pk", flat=True)))


def wanted_of(ids: Sequence[uuid.UUID]) -> list[Wanted]:
    """The results of these jobs, in this order, named likewise."""
    places = {pk: place for place, pk in enumerate(ids, 1)}
    rows = sorted(
        Result.objects.filter(execution__in=ids).values_list(
            "file_id", "execution_id", "position", "execution__prompt"
        ),
        key=lambda row: (places[row[1]], row[2]),
    )
    several = {execution_id for _, execution_id, position, _ in rows if position}
    found = []
    for file_id, execution_id, position, title in rows:
        take = f"-{position + 1}" if execution_id in several else ""
        found.append(Wanted(file_id, f"{places[execution_id]:03}{take}{safe_name(title)}"))
    return found


def safe_name(title: str) -> str:
    """Words of a title for a file's name, with what leads them; nothing that a system could take for more."""
    plain = unicodedata.normalize("NFC", title)
    words = re.sub(r"[^\w]+", "-", plain).strip("-_")
    # Names are counted in bytes, and one character may have four.
    short = words.encode()[:80].decode(errors="ignore").strip("-_")
    return f" {short}" if short else ""


async def stream(files_wanted: list[Wanted]) -> AsyncGenerator[bytes]:
    """The archive, piece by piece."""
    pipe = Pipe()
    missing: list[str] = []
    async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True, max_redirects=3) as client:
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # type: ignore[call-overload]  # it is only written to
            for each in files_wanted:
                try:
                    async with aclosing(_entry(archive, pipe, client, each)) as pieces:
                        async for piece in pieces:
                            yield piece
                except Broken as error:
                    missing.append(str(error))
                if pipe.parts:
                    yield pipe.take()
            if missing:
                text = "These could not be put into the archive:\r\n\r\n" + "\r\n".join(missing) + "\r\n"
                archive.writestr(entry_info(MISSING), text)
    yield pipe.take()


async def _entry(
    archive: zipfile.ZipFile, pipe: Pipe, client: httpx.AsyncClient, one: Wanted
) -> AsyncGenerator[bytes]:
    """One file's entry. Raises Broken, after the entry where that has begun."""
    try:
        source = await source_of(client, await runtime.in_reader(File.objects.get, pk=one.file_id))
    except Broken as error:
        raise Broken(f"{one.stem}: {error}") from None
    async with aclosing(source):
        name = one.stem + source.ending
        large = source.size is None or source.size > LARGE
        with archive.open(entry_info(name), "w", force_zip64=large) as entry:
            try:
                async with aclosing(source.pieces()) as pieces:
                    async for piece in pieces:
                        entry.write(piece)
                        yield pipe.take()
            except Broken as error:
                raise Broken(f"{name} is not complete: {error}") from None


async def source_of(client: httpx.AsyncClient, file: File) -> Source | Copy:
    """Where the file is read from: VideoGen, or our own copy where VideoGen has it no longer. Raises Broken."""
    has_copy = file.kept_at is not None
    if not has_copy or file.gone_at is None:
        source = Source(client, file)
        try:
            await source.open()
            return source
        except Broken:
            if not has_copy:
                raise
    copy = Copy(file)
    try:
        await copy.open()
        return copy
    except Exception:
        # A folder or a bucket: each has errors of its own.
        raise Broken("VideoGen no longer has it, and its copy cannot be had") from None


def entry_info(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=timezone.now().timetuple()[:6])
    info.external_attr = 0o644 << 16
    return info


class Pipe:
    """What the archive writes, until it is taken away. It cannot go back, which ZIP allows for."""

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


class Source:
    """A file at VideoGen, read from a signed address; where the connection breaks it goes on from there."""

    def __init__(self, client: httpx.AsyncClient, file: File) -> None:
        self.client = client
        self.file = file
        self.answer: httpx.Response | None = None
        self.received = 0
        self.ending = ""
        self.size: int | None = None

    async def open(self) -> None:
        self.answer = await self._ask()
        self.ending = _ending(self.answer)
        length = self.answer.headers.get("content-length", "")
        self.size = int(length) if length.isdecimal() else None

    async def pieces(self) -> AsyncGenerator[bytes]:
        for resumes in range(RESUMES + 1):
            try:
                assert self.answer is not None
                # As they come, at most 64 KiB: gathering larger ones would lose what came before a break.
                async for piece in self.answer.aiter_raw():
                    self.received += len(piece)
                    yield piece
                return
            except httpx.HTTPError as error:
                logger.info("A result broke off after %d bytes: %s", self.received, error)
                await self.aclose()
                if resumes == RESUMES:
                    raise Broken(f"the connection broke off after {self.received} bytes") from None
            self.answer = await self._ask()

    async def aclose(self) -> None:
        if self.answer is not None:
            await self.answer.aclose()

    async def _ask(self) -> httpx.Response:
        """Open the file where we stopped. Raises Broken."""
        try:
            url, _ = await signed_urls.signed_url(self.file, ("download", "preview"))
        except (signed_urls.Gone, signed_urls.NotReady) as error:
            raise Broken(str(error)) from None
        headers = {"Accept-Encoding": "identity"}
        if self.received:
            headers["Range"] = f"bytes={self.received}-"
        try:
            answer = await self.client.send(
                self.client.build_request("GET", url, headers=headers), stream=True
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            raise Broken("its server cannot be reached") from None
        if answer.status_code == (206 if self.received else 200):
            return answer
        await answer.aclose()
        if self.received and answer.status_code == 200:
            raise Broken(f"the connection broke off after {self.received} bytes")
        raise Broken(f"its server answered {answer.status_code}")


class Copy:
    """A file's copy in our storage. One in a bucket is fetched to a file on disk first, as its library does."""

    def __init__(self, file: File) -> None:
        self.file = file
        self.size: int | None = file.kept_bytes
        self.ending = copy_storage.ending(file.kept_type)
        self.handle: Any = None

    async def open(self) -> None:
        self.handle = await asyncio.to_thread(copy_storage.storage().open, self.file.kept_path)

    async def pieces(self) -> AsyncGenerator[bytes]:
        try:
            while piece := await asyncio.to_thread(self.handle.read, copy_storage.CHUNK_SIZE):
                yield piece
        except Exception:
            raise Broken("its copy could not be read") from None

    async def aclose(self) -> None:
        if self.handle is not None:
            await asyncio.to_thread(self.handle.close)


def _ending(answer: httpx.Response) -> str:
    """The file's ending, as its address has it, else by its media type."""
    suffix = PurePosixPath(urlsplit(str(answer.url)).path).suffix.lower()
    if re.fullmatch(r"\.[a-z0-9]{1,5}", suffix):
        return suffix
    media = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    return PREFERRED.get(media) or mimetypes.guess_extension(media) or ".bin"
