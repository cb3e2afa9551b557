"""Responses with media: copies from our folder, and downloads proxied from VideoGen.

A file may contain a script (an SVG, an HTML page), which must never run in our origin: browsers may not sniff the
type, the Content-Security-Policy forbids everything, and active types are sent as attachments. Images in a page are
shown even if they are sent as attachments.
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
from executions.files import media_download, media_http, signed_urls
from executions.files.media_types import SVG, UNKNOWN, is_displayable, is_harmless
from executions.files.uploads import clean_name
from executions.models import File

logger = logging.getLogger(__name__)

CONTENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; media-src 'self'; sandbox"
)
FORWARDED_HEADERS = ("Content-Length", "Content-Range", "ETag", "Last-Modified")


class CopyMissing(Exception):
    """The file has no copy, the copy has disappeared from the storage, or it cannot be read now."""


class _NotStored(CopyMissing):
    """The copy has disappeared from the storage."""


# --- copies -----------------------------------------------------------------------------------------------


async def copy_response(request: HttpRequest, file: File, *, as_download: bool) -> HttpResponseBase:
    """The response with the copy of a file. Raises CopyMissing."""
    if file.copied_at is None:
        raise CopyMissing
    disposition = _disposition(file, file.copy_type, as_download)
    try:
        return await _stored_response(request, file.copy_path, file.copy_type, disposition, file.copy_sha256)
    except _NotStored:
        await runtime.in_db(copy_requests.forget_missing, file.pk)
        raise


async def copy_thumbnail_response(request: HttpRequest, file: File) -> HttpResponseBase:
    """A picture of the copy: the copy if it is an image, else its stored thumbnail. Raises CopyMissing."""
    if file.copied_at is not None and file.copy_type.startswith("image/"):
        return await copy_response(request, file, as_download=False)
    if not file.copy_thumbnail:
        raise CopyMissing
    mime = mimetypes.guess_type(file.copy_thumbnail)[0] or UNKNOWN
    disposition = _disposition(file, mime, as_download=False)
    return await _stored_response(
        request, file.copy_thumbnail, mime, disposition, f"{file.copy_sha256}-thumbnail"
    )


async def _stored_response(
    request: HttpRequest, name: str, mime: str, disposition: str, validator: str
) -> HttpResponseBase:
    if not copy_storage.is_folder():
        url = await asyncio.to_thread(copy_storage.url, name, mime, disposition)
        return HttpResponseRedirect(url, headers={"Cache-Control": "private, max-age=30"})
    path = copy_storage.path(name)
    try:
        size = (await asyncio.to_thread(path.stat)).st_size
    except FileNotFoundError:
        raise _NotStored from None
    except OSError as error:
        logger.error("Copy cannot be read: %s", error)
        raise CopyMissing from None
    headers = _headers(mime, disposition) | {"ETag": f'"{validator}"'}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return HttpResponse(status=304, headers=headers)
    span = _byte_range(request, size, headers["ETag"])
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
    return StreamingHttpResponse(copy_storage.chunks(path, first, last), status=status, headers=headers)


def _byte_range(request: HttpRequest, size: int, etag: str) -> tuple[int, int] | None:
    """First and last byte of the requested range; None if it cannot be satisfied.

    An unknown unit, several ranges or a stale If-Range mean the whole file.
    """
    whole = (0, size - 1)
    requested = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", request.headers.get("Range", "").strip())
    if not requested or not (requested[1] or requested[2]) or request.headers.get("If-Range", etag) != etag:
        return whole
    if not requested[1]:
        length = min(int(requested[2]), size)
        return (size - length, size - 1) if length else None
    first = int(requested[1])
    last = min(int(requested[2]), size - 1) if requested[2] else size - 1
    return (first, last) if first < size and first <= last else None


# --- downloads proxied from VideoGen ----------------------------------------------------------------------


async def proxied_download(request: HttpRequest, file: File) -> HttpResponseBase:
    """The best rendition as a download. Raises signed_urls.Gone or signed_urls.NotReady.

    A browser saves a response with Content-Disposition: attachment. A redirect cannot set that header for another
    server, and a link's `download` attribute is ignored across origins, so the bytes pass through this process, a few
    at a time.
    """
    http = media_http.client()
    try:
        answer = await _open_upstream(http, request, file)
    except BaseException:
        await http.aclose()
        raise
    content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    is_known = is_displayable(content_type) or is_harmless(content_type) or content_type == SVG
    mime = content_type if is_known else UNKNOWN
    headers = _headers(mime, _disposition(file, mime, as_download=True))
    headers |= {name: answer.headers[name] for name in FORWARDED_HEADERS if name in answer.headers}
    if answer.status_code == 416 or request.method == "HEAD":
        await _close(http, answer)
        return HttpResponse(status=answer.status_code, headers=headers)
    return StreamingHttpResponse(_ProxiedBody(http, answer), status=answer.status_code, headers=headers)


async def _open_upstream(http: httpx.AsyncClient, request: HttpRequest, file: File) -> httpx.Response:
    """The media server's response. A rejected signed URL is replaced once by a fresh one."""
    headers = {name: request.headers[name] for name in ("Range", "If-Range") if name in request.headers}
    try:
        return await media_download.open_rendition(http, file, headers, accepted=(200, 206, 416))
    except media_http.MediaUnreachable as error:
        raise signed_urls.NotReady(f"{error} Try again in a moment.") from None
    except media_download.DownloadRejected as error:
        raise signed_urls.NotReady(
            f"VideoGen’s media server answered {error.status}. Try again in a moment."
        ) from None


class _ProxiedBody:
    """The chunks of a response, which is closed after the last one or when the client has disconnected."""

    def __init__(self, http: httpx.AsyncClient, answer: httpx.Response) -> None:
        self.http = http
        self.answer = answer
        self.loop = asyncio.get_running_loop()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in media_download.chunks(self.answer):
                yield chunk
        finally:
            await _close(self.http, self.answer)

    def close(self) -> None:
        """Called by the response, from any thread, even if no chunk was ever requested."""
        if not self.answer.is_closed:
            sync_bridge.spawn(_close, self.http, self.answer, loop=self.loop)


async def _close(http: httpx.AsyncClient, answer: httpx.Response) -> None:
    await answer.aclose()
    await http.aclose()


# --- headers ----------------------------------------------------------------------------------------------


def _headers(mime: str, disposition: str) -> dict[str, str]:
    return {
        "Content-Type": mime,
        "Content-Disposition": disposition,
        "Content-Security-Policy": CONTENT_POLICY,
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=30",
    }


def _disposition(file: File, mime: str, as_download: bool) -> str:
    name = clean_name(file.display_name or f"{file.type.lower() or 'file'} {file.pk.hex[:8]}")
    extension = copy_storage.extension(mime)
    if extension != ".bin" and not re.search(r"\.[A-Za-z0-9]{2,4}$", name):
        name += extension
    return str(content_disposition_header(as_download or not is_displayable(mime), name))
