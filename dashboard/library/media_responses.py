"""Media that we send ourselves: copies from our folder, and downloads that pass through from VideoGen.

What is sent may hold a script (an SVG, a page): it never runs in our origin. Nothing is guessed from the content, a
policy forbids everything, and what could run leaves as a download only; as a picture in a page it is shown all the same.
"""

from __future__ import annotations

import asyncio
import logging
import mimetypes
import re
from collections.abc import AsyncIterator

import httpx
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.utils.http import content_disposition_header

from executions.copies import requests as copy_requests
from executions.copies import storage as copy_storage
from executions.core import runtime, sync_bridge
from executions.files import media_http, signed_urls
from executions.files.media_types import SVG, UNKNOWN, is_plain, may_be_shown
from executions.files.uploads import clean_name
from executions.models import File

logger = logging.getLogger(__name__)

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'; sandbox"
PASSED_ON = ("Content-Length", "Content-Range", "ETag", "Last-Modified")


class Missing(Exception):
    """There is no copy, it is no longer where it was put, or it cannot be read now."""


class _NotThere(Missing):
    """Where it was put there is nothing."""


# --- copies -----------------------------------------------------------------------------------------------


async def kept(request: HttpRequest, file: File, *, as_download: bool) -> HttpResponseBase:
    """The copy of a file. Raises Missing."""
    if file.kept_at is None:
        raise Missing
    disposition = _disposition(file, file.kept_type, as_download)
    try:
        return await _kept(request, file.kept_path, file.kept_type, disposition, file.kept_sha256)
    except _NotThere:
        await runtime.in_db(copy_requests.lost, file.pk)
        raise


async def kept_picture(request: HttpRequest, file: File) -> HttpResponseBase:
    """A picture of the copy: itself, if it is one, or the one beside it. Raises Missing."""
    if file.kept_at is not None and file.kept_type.startswith("image/"):
        return await kept(request, file, as_download=False)
    if not file.kept_thumbnail:
        raise Missing
    mime = mimetypes.guess_type(file.kept_thumbnail)[0] or UNKNOWN
    disposition = _disposition(file, mime, as_download=False)
    return await _kept(request, file.kept_thumbnail, mime, disposition, f"{file.kept_sha256}-thumbnail")


async def _kept(
    request: HttpRequest, name: str, mime: str, disposition: str, validator: str
) -> HttpResponseBase:
    if not copy_storage.is_folder():
        url = await asyncio.to_thread(copy_storage.url, name, mime, disposition)
        return HttpResponseRedirect(url, headers={"Cache-Control": "private, max-age=30"})
    path = copy_storage.path(name)
    try:
        size = (await asyncio.to_thread(path.stat)).st_size
    except FileNotFoundError:
        raise _NotThere from None
    except OSError as error:
        logger.error("A copy cannot be read: %s", error)
        raise Missing from None
    headers = _headers(mime, disposition) | {"ETag": f'"{validator}"'}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return HttpResponse(status=304, headers=headers)
    span = _span(request, size, headers["ETag"])
    if span is None:
        return HttpResponse(status=416, headers={**headers, "Content-Range": f"bytes */{size}"})
    first, last = span
    headers["Content-Length"] = str(last - first + 1)
    status = 200
    if "Range" in request.headers and (first, last) != (0, size - 1):
        status = 206
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    return StreamingHttpResponse(copy_storage.pieces(path, first, last), status=status, headers=headers)


def _span(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """First and last byte that are asked for; None where there are none. What is not understood means the whole."""
    whole = (0, size - 1)
    asked = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("Range", "").strip())
    if not asked or not (asked[1] or asked[2]) or request.headers.get("If-Range", etag) != etag:
        return whole
    if not asked[1]:
        length = min(int(asked[2]), size)
        return (size - length, size - 1) if length else None
    first = int(asked[1])
    last = min(int(asked[2]), size - 1) if asked[2] else size - 1
    return (first, last) if first < size and first <= last else None


# --- from VideoGen, through us ----------------------------------------------------------------------------


async def passed_on(request: HttpRequest, file: File) -> HttpResponseBase:
    """The best rendition as a download, whatever its media server says of it. Raises files.Gone or files.NotReady.

    A browser saves what says that it is to be saved. A redirect cannot say it for another server, and a link's
    `download` attribute does not count there, so the bytes pass through us: never more than a few at a time.
    """
    http = media_http.client()
    try:
        answer = await _opened(http, request, file)
    except BaseException:
        await http.aclose()
        raise
    told = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    mime = told if may_be_shown(told) or is_plain(told) or told == SVG else UNKNOWN
    headers = _headers(mime, _disposition(file, mime, as_download=True))
    headers |= {name: answer.headers[name] for name in PASSED_ON if name in answer.headers}
    if answer.status_code == 416 or request.method == "HEAD":
        await _closed(http, answer)
        return HttpResponse(status=answer.status_code, headers=headers)
    return StreamingHttpResponse(_Passing(http, answer), status=answer.status_code, headers=headers)


async def _opened(http: httpx.AsyncClient, request: HttpRequest, file: File) -> httpx.Response:
    """The media server's answer. An address that is refused is asked for anew, once."""
    asked = {name: request.headers[name] for name in ("Range", "If-Range") if name in request.headers}
    for fresh in (False, True):
        url, _ = await signed_urls.signed_url(file, signed_urls.BEST, fresh=fresh)
        try:
            answer = await media_http.opened(http, url, asked)
        except media_http.Unreachable as error:
            raise signed_urls.NotReady(f"{error} Try again in a moment.") from None
        if answer.status_code in (200, 206, 416):
            return answer
        await answer.aclose()
    raise signed_urls.NotReady(
        f"VideoGen’s media server answered {answer.status_code}. Try again in a moment."
    )


class _Passing:
    """The pieces of an answer, which is closed with the last of them, or when nobody wants them any more."""

    def __init__(self, http: httpx.AsyncClient, answer: httpx.Response) -> None:
        self.http = http
        self.answer = answer
        self.loop = asyncio.get_running_loop()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self.answer.aiter_raw():
                yield piece
            return
        except httpx.HTTPError:
            trouble = True
        finally:
            await _closed(self.http, self.answer)
        # Outside the handler: the library's frames hold the address.
        assert trouble
        raise media_http.BrokenOff("the media server ended it too early")

    def close(self) -> None:
        """Called by the response, from any thread, also where no piece was ever asked for."""
        if not self.answer.is_closed:
            sync_bridge.spawn(_closed, self.http, self.answer, loop=self.loop)


async def _closed(http: httpx.AsyncClient, answer: httpx.Response) -> None:
    await answer.aclose()
    await http.aclose()


# --- what each says of itself -----------------------------------------------------------------------------


def _headers(mime: str, disposition: str) -> dict[str, str]:
    return {
        "Content-Type": mime,
        "Content-Disposition": disposition,
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=30",
    }


def _disposition(file: File, mime: str, as_download: bool) -> str:
    name = clean_name(file.display_name or f"{file.type.lower() or 'file'} {file.pk.hex[:8]}")
    ending = copy_storage.ending(mime)
    if ending != ".bin" and not re.search(r"\.[A-Za-z0-9]{2,4}$", name):
        name += ending
    return str(content_disposition_header(as_download or not may_be_shown(mime), name))
