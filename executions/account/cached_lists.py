"""What the account offers to choose from, remembered for hours: these lists change rarely (docs/api-notes.md#rate-limits)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.cache import cache

from executions.core import runtime, sync_bridge
from executions.videogen import VideoGen, VideoGenError

logger = logging.getLogger(__name__)

FRESH = 4 * 3600  # seconds
# After a failure the next pages do not wait for another one.
PAUSE = 20  # seconds
PATIENCE = 5.0  # seconds that a page waits for a list


type Reader = Callable[[VideoGen], Awaitable[list[Any]]]


def remembered(name: str, read: Reader) -> list[dict[str, Any]] | None:
    """The raw entries of a list, from memory or asked for now; None when it could not be read. For views (sync)."""
    key = f"videogen:{name}"
    known: list[dict[str, Any]] | None = cache.get(key)
    if known is not None:
        return known
    if cache.get(f"{key}:failed"):
        return None
    try:
        known = _read(read)
    except (VideoGenError, TimeoutError) as error:
        logger.warning("The %s could not be read: %s", name, error)
        cache.set(f"{key}:failed", True, PAUSE)
        return None
    cache.set(key, known, FRESH)
    return known


def _read(read: Reader) -> list[dict[str, Any]]:
    return sync_bridge.run(_ask, read, timeout=PATIENCE + 1)


async def _ask(read: Reader) -> list[dict[str, Any]]:
    async with asyncio.timeout(PATIENCE):
        return [entry.raw for entry in await read(runtime.client())]
