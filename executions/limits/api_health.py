"""What we know about our standing at VideoGen: whether the key is taken. What answers say of the hourly limits is kept on the way."""

from __future__ import annotations

import logging

from django.core.cache import cache
from django.db import DatabaseError

from executions.core import runtime
from executions.limits import rate_limits
from executions.videogen import Unauthorized, VideoGenError

logger = logging.getLogger(__name__)

KEY_REFUSED = "videogen:key-refused"


async def heard_error(error: VideoGenError) -> None:
    """Every error answer passes here: a refused key is said to operators and on every page."""
    if isinstance(error, Unauthorized):
        logger.error(
            "VideoGen refuses the API key: %s Nothing can be started until VIDEOGEN_API_KEY is right.", error
        )
    try:
        await rate_limits.learn()
        if isinstance(error, Unauthorized):
            await runtime.in_db(cache.set, KEY_REFUSED, error.message, None)
    except DatabaseError as failure:
        _not_kept(failure)


async def heard_well() -> None:
    """A call was answered: the key is good."""
    try:
        await rate_limits.learn()
        if await runtime.in_db(cache.get, KEY_REFUSED):
            await runtime.in_db(cache.delete, KEY_REFUSED)
    except DatabaseError as failure:
        _not_kept(failure)


def _not_kept(failure: DatabaseError) -> None:
    """It comes again with the next answer; what this answer was about must not be lost with it."""
    logger.warning("What VideoGen told of our standing could not be kept: %s", failure)


def key_refused() -> str:
    """What VideoGen said when it last refused the key; empty while all is well."""
    return cache.get(KEY_REFUSED) or ""
