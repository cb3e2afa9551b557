"""Downloads of a file's renditions that can be resumed: signed URL, range request, check of the bytes, interruptions.

Callers decide what to do with the bytes: copies are written to disk, archives and downloads are streamed.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import suppress

import httpx

from executions.files import media_http, signed_urls
from executions.models import File

# Characters of an ETag; a longer one is not used.
MAX_VALIDATOR = 200


class DownloadRejected(Exception):
    """The media server answered with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"The media server answered {status}.")
        self.status = status


class Changed(DownloadRejected):
    """The media server no longer has the bytes that were received before, or sent a range that was not requested."""


async def open_rendition(
    http: httpx.AsyncClient,
    file: File,
    headers: Mapping[str, str],
    *,
    accepted: Collection[int],
    renditions: Sequence[str] = signed_urls.BEST_RENDITIONS,
) -> httpx.Response:
    """A response with one of the accepted statuses. A rejected signed URL is replaced once by a fresh one.

    Only the headers have been read; the caller closes it. Raises DownloadRejected, MediaUnreachable, signed_urls.Gone
    or signed_urls.NotReady.
    """
    status = 0
    for fresh in (False, True):
        url, _ = await signed_urls.signed_url(file, renditions, fresh=fresh)
        response = await media_http.open_stream(http, url, headers)
        if response.status_code in accepted:
            return response
        status = response.status_code
        await response.aclose()
    raise DownloadRejected(status)


async def open_from(
    http: httpx.AsyncClient, file: File, offset: int = 0, validator: str = ""
) -> httpx.Response:
    """The file from byte `offset` on, with status 206; or the whole file, with status 200.

    `validator` identifies the bytes before `offset` (see `validator_of`). The whole file is sent if it has changed
    since, or if its server does not support ranges. Raises as `open_rendition`, and Changed.
    """
    headers = {}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    response = await open_rendition(http, file, headers, accepted=(200, 206, 416))
    if response.status_code == 200 or _continues(response, offset, validator):
        return response
    await response.aclose()
    raise Changed(response.status_code)


async def chunks(response: httpx.Response) -> AsyncGenerator[bytes]:
    """The body as it arrives, in chunks of at most 64 KiB. Raises media_http.IncompleteResponse if it is interrupted."""
    with suppress(httpx.HTTPError):
        async for chunk in response.aiter_raw():
            yield chunk
        return
    # Raised outside the handler: the traceback of httpx would contain the signed URL.
    raise media_http.IncompleteResponse("the media server ended the response too early")


def validator_of(response: httpx.Response) -> str:
    """The strong ETag of the response, which identifies its bytes; empty if it has none."""
    etag: str = response.headers.get("etag", "")
    return etag if etag.startswith('"') and len(etag) <= MAX_VALIDATOR else ""


def length_of(response: httpx.Response) -> int | None:
    """Bytes of the body, if the server announced them."""
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 19 else None


def _continues(response: httpx.Response, offset: int, validator: str) -> bool:
    return (
        response.status_code == 206
        and _first_byte(response) == offset
        and validator_of(response) == validator
    )


def _first_byte(response: httpx.Response) -> int | None:
    found = re.match(r"bytes (\d{1,19})-", response.headers.get("content-range", ""))
    return int(found[1]) if found else None
