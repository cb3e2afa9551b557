"""Uploads a file to a presigned URL: without our API key, in chunks, never as a whole in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import IO
from urllib.parse import urlsplit

import httpx

from executions.videogen.errors import Forbidden, InvalidRequest, ResponseLost, ServerError, Unreachable
from executions.videogen.http_client import http_client
from executions.videogen.transport import trusts_proxy

CHUNK_SIZE = 256 * 1024  # bytes
# Seconds. The response to a large file may take a while.
TIMEOUT = httpx.Timeout(connect=10, write=60, read=180, pool=10)


async def put_file(url: str, source: IO[bytes], size: int) -> None:
    """PUT `size` bytes of `source`, from its start.

    Raises Forbidden if the URL has expired or was used, InvalidRequest for other rejections, and Unreachable,
    ResponseLost or ServerError. The URL is a secret, so no error contains it.
    """
    failure: Exception | None = None
    status = 0
    trust_env = trusts_proxy(urlsplit(url).hostname)
    try:
        async with http_client(timeout=TIMEOUT, trust_env=trust_env, follow_redirects=False) as http:
            response = await http.put(url, content=_chunks(source), headers={"Content-Length": str(size)})
            status = response.status_code
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol):
        failure = Unreachable("VideoGen's storage cannot be reached.")
    except (httpx.HTTPError, httpx.InvalidURL):
        failure = ResponseLost("The connection to VideoGen's storage was lost.")
    # Outside the handler: the library's frames contain the URL.
    if failure is not None:
        raise failure
    if status in (401, 403, 410):
        raise Forbidden("The upload URL has expired.", status=status)
    if status >= 500:
        raise ServerError("VideoGen's storage failed.", status=status)
    if status == 413:
        raise InvalidRequest("The file is larger than VideoGen accepts.", status=status)
    if not 200 <= status < 300:
        raise InvalidRequest("VideoGen's storage rejected the file.", status=status)


async def _chunks(source: IO[bytes]) -> AsyncIterator[bytes]:
    await asyncio.to_thread(source.seek, 0)
    while chunk := await asyncio.to_thread(source.read, CHUNK_SIZE):
        yield chunk
