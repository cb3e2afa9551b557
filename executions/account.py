"""What we know about our standing at VideoGen: whether the key is taken. What answers say of the hourly limits is kept on the way."""

from __future__ import annotations

import logging

from django.core.cache import cache

from executions import limits, runtime
from executions.videogen import Unauthorized, VideoGenError

logger = logging.getLogger(__name__)

KEY_REFUSED = "videogen:key-refused"


async def heard_error(error: VideoGenError) -> None:
    """Every error answer passes here: a refused key is said to operators and on every page."""
    await limits.learn()
    if isinstance(error, Unauthorized):
        logger.error(
            "VideoGen refuses the API key: %s Nothing can be started until VIDEOGEN_API_KEY is right.", error
        )
        await runtime.in_db(cache.set, KEY_REFUSED, error.message, None)


async def heard_well() -> None:
    """A call was answered: the key is good."""
    await limits.learn()
    if await runtime.in_db(cache.get, KEY_REFUSED):
        await runtime.in_db(cache.delete, KEY_REFUSED)


def key_refused() -> str:
    """What VideoGen said when it last refused the key; empty while all is well."""
    return cache.get(KEY_REFUSED) or ""
