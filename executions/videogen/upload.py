"""Sends one file's bytes to a presigned address: without our key, piece by piece, never whole in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import IO
from urllib.parse import urlsplit

import httpx

from executions.videogen.errors import AnswerLost, Forbidden, InvalidRequest, ServerError, Unreachable

PIECE = 256 * 1024  # bytes
# Seconds of silence that are borne: the answer to a large file may take a while.
TIMEOUT = httpx.Timeout(connect=10, write=60, read=180, pool=10)
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


async def put_file(url: str, source: IO[bytes], size: int) -> None:
    """PUT `size` bytes of `source`, from its beginning.

    Raises Forbidden where the address has expired or was used, InvalidRequest for another refusal, and
    Unreachable, AnswerLost or ServerError. The address is a secret: no error names it.
    """
    trouble: Exception | None = None
    status = 0
    # A proxy that the environment names is for the internet, not for a service on this machine.
    trust_env = urlsplit(url).hostname not in _LOOPBACK
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT, trust_env=trust_env, follow_redirects=False) as http:
            answer = await http.put(url, content=_pieces(source), headers={"Content-Length": str(size)})
            status = answer.status_code
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol):
        trouble = Unreachable("VideoGen's storage cannot be reached.")
    except (httpx.HTTPError, httpx.InvalidURL):
        trouble = AnswerLost("The connection to VideoGen's storage was cut.")
    # Outside the handler: the library's frames hold the address.
    if trouble is not None:
        raise trouble
    if status in (401, 403, 410):
        raise Forbidden("The address for the upload has expired.", status=status)
    if status >= 500:
        raise ServerError("VideoGen's storage failed.", status=status)
    if status == 413:
        raise InvalidRequest("It is larger than VideoGen takes.", status=status)
    if not 200 <= status < 300:
        raise InvalidRequest("VideoGen's storage refused the file.", status=status)


async def _pieces(source: IO[bytes]) -> AsyncIterator[bytes]:
    await asyncio.to_thread(source.seek, 0)
    while piece := await asyncio.to_thread(source.read, PIECE):
        yield piece
