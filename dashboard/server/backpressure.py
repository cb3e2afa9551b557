"""Backpressure for streamed responses: pauses one that its client reads too slowly, so it does not fill memory."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class Backpressure:
    """The connection calls it when its buffer is full, and when there is room again."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._may_go = asyncio.Event()
        self._may_go.set()
        self._engaged = request.channel is not None
        if self._engaged:
            request.registerProducer(self, True)

    async def wait(self) -> None:
        """Return when there is room for more, or the connection is gone."""
        await self._may_go.wait()

    def release(self) -> None:
        """Call when the response is complete; buffered data is still sent."""
        if self._engaged and self._request.channel is not None:
            self._request.unregisterProducer()
        self._engaged = False
        self._may_go.set()

    def pauseProducing(self) -> None:
        self._may_go.clear()

    def resumeProducing(self) -> None:
        self._may_go.set()

    def stopProducing(self) -> None:
        self._may_go.set()
