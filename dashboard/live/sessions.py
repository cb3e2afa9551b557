"""Tells a person's open pages, in every process, that their rights have ended or changed."""

from __future__ import annotations

import logging
from typing import Any

from channels.layers import get_channel_layer

from dashboard.live.comments import people_group
from executions.core import sync_bridge

logger = logging.getLogger(__name__)


def left(user_id: int, session_key: str | None = None) -> None:
    """The pages of that session are closed; without one, all of the person's."""
    _tell(user_id, {"type": "person.left", "session_key": session_key})


def changed(user_id: int) -> None:
    """Their role is another one."""
    _tell(user_id, {"type": "person.changed", "user_id": user_id})


def _tell(user_id: int, message: dict[str, Any]) -> None:
    send = get_channel_layer().group_send
    try:
        sync_bridge.run(send, people_group(user_id), message, timeout=10)
    except Exception as error:
        # Their pages hear nothing more at the next request: rights are asked for each time.
        logger.error("The open pages of person %d could not be told: %s", user_id, error)
