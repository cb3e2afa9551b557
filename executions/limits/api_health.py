"""The state of our access to VideoGen: whether the API key works. Also stores the rate limits that responses report."""

from __future__ import annotations

import logging

from django.core.cache import cache
from django.db import DatabaseError

from executions.core import runtime
from executions.limits import rate_limits
from executions.videogen import Unauthorized, VideoGenError

logger = logging.getLogger(__name__)

KEY_REJECTED = "videogen:key-refused"  # cache key


async def record_error(error: VideoGenError) -> None:
    """Called for every error. A rejected API key is logged, and shown on every page until a call succeeds."""
    if isinstance(error, Unauthorized):
        logger.error(
            "VideoGen rejected the API key: %s No job can start until VIDEOGEN_API_KEY is corrected.", error
        )
    try:
        await rate_limits.record()
        if isinstance(error, Unauthorized):
            await runtime.in_db(cache.set, KEY_REJECTED, error.message, None)
    except DatabaseError as failure:
        _log_failure(failure)


async def record_success() -> None:
    """Called after a successful call: the API key works."""
    try:
        await rate_limits.record()
        if await runtime.in_db(cache.get, KEY_REJECTED):
            await runtime.in_db(cache.delete, KEY_REJECTED)
    except DatabaseError as failure:
        _log_failure(failure)


def _log_failure(failure: DatabaseError) -> None:
    """The next response reports the same, so the caller continues: it must not lose the result of the call that was made."""
    logger.warning("VideoGen's rate limits and key status could not be stored: %s", failure)


def key_rejection() -> str:
    """VideoGen's message when it last rejected the API key; empty after a successful call."""
    return cache.get(KEY_REJECTED) or ""
