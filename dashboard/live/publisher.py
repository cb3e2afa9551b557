"""Publishes changes: from the domain's signals to messages on the channel layer.

A message only says which jobs changed. Each server process renders them (renderer.py) and sends the HTML to its pages
(fanout.py). Messages may be lost: pages refetch whenever their socket opens.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from dashboard.live.changes import Change, merge
from executions import statuses
from executions.core import sync_bridge
from executions.signals import execution_changed, queue_changed

logger = logging.getLogger(__name__)

GROUP = "live"


class Broadcaster:
    """Collects changes in the process's event loop; those that arrive while a message is sent go into the next one."""

    def __init__(self) -> None:
        self._waiting: dict[str, Change] = {}
        self._sender: asyncio.Task[None] | None = None

    def note(self, change: Change) -> None:
        merge(self._waiting, change)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._waiting:
            changes, self._waiting = list(self._waiting.values()), {}
            try:
                await publish(changes)
            except Exception as error:
                # Pages catch up when they refetch.
                logger.warning("Could not publish live updates: %s", error)


broadcaster = Broadcaster()


async def publish(changes: Iterable[Change]) -> None:
    message = {
        "type": "live.changes",
        "changes": [asdict(change) for change in changes],
    }
    await get_channel_layer().group_send(GROUP, message)


def listen() -> None:
    execution_changed.connect(on_change, dispatch_uid="dashboard.live.publisher")
    queue_changed.connect(on_queue, dispatch_uid="dashboard.live.publisher")


def on_change(
    *,
    execution_id: uuid.UUID,
    created: bool,
    from_status: str,
    to_status: str,
    owner_id: int | None,
    batch_id: uuid.UUID | None = None,
    **_: Any,
) -> None:
    """Runs after the commit, in the thread that made the change."""
    change = Change(
        str(execution_id), owner_id, created, from_status, to_status, str(batch_id) if batch_id else None
    )
    _note(change)


def on_queue(**_: Any) -> None:
    _note(Change("", None, False, statuses.QUEUED, statuses.QUEUED))


def _note(change: Change) -> None:
    if not sync_bridge.post(broadcaster.note, change) and settings.REDIS_URL:
        # A command without an event loop: publish to the servers' pages directly.
        try:
            sync_bridge.run(publish, [change])
        except Exception as error:
            logger.warning("Could not publish live updates: %s", error)
