"""Detects lost connections of the Redis channel layer.

The layer reconnects silently, but messages published in between are lost: a page whose socket stays open would show
stale data as if it were live.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from redis.asyncio import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

_listeners: list[Callable[[], None]] = []


def on_break(listener: Callable[[], None]) -> None:
    """Call `listener` in the loop whenever a connection to Redis breaks."""
    if listener not in _listeners:
        _listeners.append(listener)


class _ReportsBreaks:
    """Mixin for redis-py's connections that calls the listeners when one breaks."""

    async def disconnect(self, *args: Any, **options: Any) -> None:
        was_connected = self.is_connected  # type: ignore[attr-defined]  # the connection's
        try:
            await super().disconnect(*args, **options)  # type: ignore[misc]  # the connection's
        finally:
            if was_connected:
                for listener in _listeners:
                    listener()


class ReportingConnection(_ReportsBreaks, Connection):
    pass


class ReportingSSLConnection(_ReportsBreaks, SSLConnection):
    pass


def host(url: str) -> dict[str, Any]:
    """The layer's connection options. No retries: while Redis is unavailable, pages poll instead and reconnect."""
    return {
        "address": url,
        "connection_class": ReportingSSLConnection if url.startswith("rediss") else ReportingConnection,
        "retry": Retry(NoBackoff(), 0),
        "socket_connect_timeout": 2,
    }
