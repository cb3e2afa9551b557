"""Reads media from signed addresses: without our key, as they are sent, never whole in memory."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

# Seconds of silence that are borne.
TIMEOUT = httpx.Timeout(30, connect=10)


class Unreachable(Exception):
    """Nobody answers at the address. It is a secret: nothing names it."""


class BrokenOff(Exception):
    """An answer ended before it was complete."""


def client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=True, max_redirects=3)


async def opened(http: httpx.AsyncClient, url: str, headers: Mapping[str, str]) -> httpx.Response:
    """The answer, of which only the headers have been read; whoever gets it closes it. Raises Unreachable."""
    try:
        request = http.build_request("GET", url, headers={"Accept-Encoding": "identity", **headers})
        return await http.send(request, stream=True)
    except (httpx.HTTPError, httpx.InvalidURL):
        trouble = True
    # Outside the handler: the library's frames hold the address.
    assert trouble
    raise Unreachable("The media server cannot be reached.")
