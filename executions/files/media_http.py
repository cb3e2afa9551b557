"""Streams media from signed URLs, without the API key, unmodified, and never as a whole in memory."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from executions.videogen.http_client import http_client

# Seconds without data before a request fails.
TIMEOUT = httpx.Timeout(30, connect=10)


class MediaUnreachable(Exception):
    """The media server does not respond. The message omits the URL, which is a secret."""


class IncompleteResponse(Exception):
    """A response ended before it was complete."""


def client() -> httpx.AsyncClient:
    return http_client(timeout=TIMEOUT, follow_redirects=True, max_redirects=3)


async def open_stream(http: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> httpx.Response:
    """The response with only its headers read. The caller closes it. Raises MediaUnreachable."""
    try:
        request = http.build_request("GET", url, headers={"Accept-Encoding": "identity", **headers})
        return await http.send(request, stream=True)
    except (httpx.HTTPError, httpx.InvalidURL):
        failed = True
    # Raised outside the handler, since frames of the original exception contain the URL.
    assert failed
    raise MediaUnreachable("The media server cannot be reached.")
