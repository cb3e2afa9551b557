"""Notifies a person's open pages, in every process, that their session ended or their role changed."""

from __future__ import annotations

import logging
from typing import Any

from channels.layers import get_channel_layer

from dashboard.live.comments import people_group
from executions.core import sync_bridge

logger = logging.getLogger(__name__)


def close_sockets(user_id: int, session_key: str | None = None) -> None:
    """Close the sockets of that session; without one, all of the person's."""
    _notify(user_id, {"type": "signed.out", "session_key": session_key})


def role_changed(user_id: int) -> None:
    """Apply the person's new role to their open pages."""
    _notify(user_id, {"type": "role.changed", "user_id": user_id})


def _notify(user_id: int, message: dict[str, Any]) -> None:
    send = get_channel_layer().group_send
    try:
        sync_bridge.run(send, people_group(user_id), message, timeout=10)
    except Exception as error:
        # Every request checks permissions anyway; only already open sockets are affected.
        logger.error("Could not notify the open pages of user %d: %s", user_id, error)
