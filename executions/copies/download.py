"""Brings the best rendition of one file to our disk, piece by piece, and goes on where an earlier try stopped."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from executions.copies import storage as copy_storage
from executions.files import media_http, signed_urls
from executions.files.media_types import HEAD, IMAGE, kept_type, media_type
from executions.models import File, Keeping

# Bytes that are written and counted at once.
PIECE = 1024 * 1024
# How many pieces may be written before the disk is looked at again.
LOOK_EVERY = 64
LARGEST_THUMBNAIL = 4 * 1024 * 1024  # bytes


class Interrupted(Exception):
    """The copy did not become complete; `str()` says why. What lies here already is gone on with."""


@dataclass(frozen=True)
class Complete:
    """A whole file on our disk, checked against the length that was announced."""

    part: Path
    sha256: str
    size: int
    mime: str


async def fetch(mine: Keeping) -> Complete:
    """Fetch the rest of the part, and note in `mine` how far it is.

    Raises Interrupted, files.Gone or files.NotReady, store.NoRoom, or OSError.
    """
    part = copy_storage.part_of(mine.file)
    digest = await asyncio.to_thread(_begun, part, mine)
    told = ""
    # A whole one lies here when the storage would not take it the last time.
    if not mine.received or mine.received != mine.total:
        told, digest = await _rest(part, mine, digest)
    with part.open("rb") as handle:
        head = handle.read(HEAD)
    mime = kept_type(head, told)
    return Complete(part, digest.hexdigest(), mine.received, mime)


async def thumbnail(file: File) -> tuple[bytes, str]:
    """A file's small picture, and its media type. Raises Interrupted, files.Gone or files.NotReady."""
    async with media_http.client() as http:
        url, _ = await signed_urls.signed_url(file, ("thumbnail",))
        try:
            answer = await media_http.opened(http, url, {})
        except media_http.Unreachable:
            raise Interrupted("VideoGen's storage cannot be reached.") from None
        picture = bytearray()
        try:
            async for piece in answer.aiter_raw():
                picture += piece
                if len(picture) > LARGEST_THUMBNAIL:
                    raise Interrupted("It is too large for a thumbnail.")
        except httpx.HTTPError:
            raise Interrupted("The connection to VideoGen's storage was cut.") from None
        finally:
            await answer.aclose()
    found = media_type(bytes(picture[:HEAD]))
    if answer.status_code != 200 or found is None or found.type != IMAGE:
        raise Interrupted("There is no picture of it.")
    return bytes(picture), found.mime


async def _rest(part: Path, mine: Keeping, digest: Any) -> tuple[str, Any]:
    """Fetch what is missing: the media type that its server tells, and the digest of the whole."""
    async with media_http.client() as http:
        answer = await _opened(http, mine)
        try:
            if answer.status_code == 200 and mine.received:
                # Other bytes than before, or a server that always sends the whole.
                mine.received, digest = 0, hashlib.sha256()
            mine.total = _total(answer, mine.received)
            mine.validator = _validator(answer)
            await asyncio.to_thread(copy_storage.check_room, (mine.total or 0) - mine.received)
            await _write(answer, part, mine, digest)
        finally:
            await answer.aclose()
    if mine.total is not None and mine.received != mine.total:
        raise Interrupted("The connection broke off before the file was complete.")
    if not mine.received:
        raise Interrupted("VideoGen's storage sent an empty file.")
    return answer.headers.get("content-type", ""), digest


def _begun(part: Path, mine: Keeping) -> Any:
    """What lies here already, counted anew. Without a name for its bytes it is of no use."""
    digest = hashlib.sha256()
    mine.received = 0
    if not mine.validator:
        part.unlink(missing_ok=True)
        return digest
    try:
        with part.open("rb") as handle:
            while piece := handle.read(PIECE):
                digest.update(piece)
                mine.received += len(piece)
    except FileNotFoundError:
        pass
    return digest


async def _opened(http: httpx.AsyncClient, mine: Keeping) -> httpx.Response:
    """The answer that has the rest. An address that is refused is asked for anew, once."""
    for fresh in (False, True):
        url, _ = await signed_urls.signed_url(mine.file, signed_urls.BEST, fresh=fresh)
        headers = {"Range": f"bytes={mine.received}-", "If-Range": mine.validator} if mine.received else {}
        try:
            answer = await media_http.opened(http, url, headers)
        except media_http.Unreachable:
            raise Interrupted("VideoGen's storage cannot be reached.") from None
        if answer.status_code == 200:
            return answer
        if (
            answer.status_code == 206
            and _starts_at(answer) == mine.received
            and _validator(answer) == mine.validator
        ):
            return answer
        await answer.aclose()
        if answer.status_code in (206, 416):
            # It has fewer bytes than lie here, or sends others than were asked for.
            mine.received, mine.validator = 0, ""
            raise Interrupted("VideoGen's storage has another file now. It is fetched anew.")
    raise Interrupted(f"VideoGen's storage answered {answer.status_code}.")


async def _write(answer: httpx.Response, part: Path, mine: Keeping, digest: Any) -> None:
    handle = await asyncio.to_thread(_alone, part, mine.received)
    pieces = 0
    try:
        waiting = bytearray()
        async for piece in answer.aiter_raw():
            waiting += piece
            if len(waiting) < PIECE:
                continue
            await asyncio.to_thread(_keep, handle, digest, waiting)
            mine.received += len(waiting)
            waiting = bytearray()
            pieces += 1
            if pieces % LOOK_EVERY == 0:
                await asyncio.to_thread(copy_storage.check_room, PIECE * LOOK_EVERY)
        await asyncio.to_thread(_keep, handle, digest, waiting)
        mine.received += len(waiting)
    except httpx.HTTPError:
        raise Interrupted("The connection to VideoGen's storage was cut.") from None
    finally:
        await asyncio.to_thread(handle.close)


def _alone(part: Path, position: int) -> Any:
    """The part, to be written from `position` on, by nobody else meanwhile. Raises Interrupted."""
    handle = part.open("r+b" if position else "ab")
    try:
        # A worker that lost its claim without noticing may still be there.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise Interrupted("Somebody else is writing this copy.") from None
    handle.seek(position)
    handle.truncate()
    return handle


def _keep(handle: Any, digest: Any, piece: bytearray) -> None:
    handle.write(piece)
    # Else a full disk is only noticed when the file is closed.
    handle.flush()
    digest.update(piece)


def _validator(answer: httpx.Response) -> str:
    """A strong name for exactly these bytes; without one nothing can be gone on with."""
    etag: str = answer.headers.get("etag", "")
    return etag if etag.startswith('"') and len(etag) <= 200 else ""


def _starts_at(answer: httpx.Response) -> int | None:
    found = re.match(r"bytes (\d{1,19})-", answer.headers.get("content-range", ""))
    return int(found[1]) if found else None


def _total(answer: httpx.Response, received: int) -> int | None:
    length = answer.headers.get("content-length", "")
    return received + int(length) if length.isdecimal() and len(length) < 19 else None
