"""Lists of the account's voices and presenters, cached for hours: they change rarely (docs/api-notes.md#rate-limits)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.cache import cache

from executions.core import runtime, sync_bridge
from executions.videogen import VideoGen, VideoGenError

logger = logging.getLogger(__name__)

CACHE_TTL = 4 * 3600  # seconds
# Seconds after a failed read in which pages do not try again.
RETRY_AFTER = 20
READ_TIMEOUT = 5.0  # seconds that a page waits for a list


type Reader = Callable[[VideoGen], Awaitable[list[Any]]]


def cached(name: str, read: Reader) -> list[dict[str, Any]] | None:
    """The raw entries of a list, from the cache or read now; None if reading failed. For views (sync)."""
    key = f"videogen:{name}"
    entries: list[dict[str, Any]] | None = cache.get(key)
    if entries is not None:
        return entries
    if cache.get(f"{key}:failed"):
        return None
    try:
        entries = _read(read)
    except (VideoGenError, TimeoutError) as error:
        logger.warning("The list of %s could not be read: %s", name, error)
        cache.set(f"{key}:failed", True, RETRY_AFTER)
        return None
    cache.set(key, entries, CACHE_TTL)
    return entries


def _read(read: Reader) -> list[dict[str, Any]]:
    return sync_bridge.wait_for(_fetch, read)


async def _fetch(read: Reader) -> list[dict[str, Any]]:
    async with asyncio.timeout(READ_TIMEOUT):
        return [entry.raw for entry in await read(runtime.client())]
