"""Backpressure for streamed responses: pauses one that its client reads too slowly, so it does not fill memory."""

from __future__ import annotations

import asyncio
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class Backpressure:
    """The connection calls it when its buffer is full, and when it has space again."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self._can_send = asyncio.Event()
        self._can_send.set()
        self._is_registered = request.channel is not None
        if self._is_registered:
            request.registerProducer(self, True)

    async def wait(self) -> None:
        """Return when the buffer has space, or the connection is gone."""
        await self._can_send.wait()

    def release(self) -> None:
        """Call when the response is complete; buffered data is still sent."""
        if self._is_registered and self._request.channel is not None:
            self._request.unregisterProducer()
        self._is_registered = False
        self._can_send.set()

    def pauseProducing(self) -> None:
        self._can_send.clear()

    def resumeProducing(self) -> None:
        self._can_send.set()

    def stopProducing(self) -> None:
        self._can_send.set()
