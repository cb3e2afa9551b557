"""The short way of VideoGen's deliveries: from the server to the receiver's view, past everything that pages need.

Most of a request's time is spent in Django's handler and in middleware: a thread of its own for each request, and
a dozen steps for sessions and people. The receiver needs none of it: its caller is known by a signature over the raw
bytes, it uses the database through executions/core/runtime.py, and it answers no HTML.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

logger = logging.getLogger(__name__)


class ShortWay:
    """An ASGI application: requests for `path` go to `view`, all others to `app`."""

    def __init__(
        self, app: Any, path: str, view: Callable[[HttpRequest], Awaitable[HttpResponse]], largest: int
    ) -> None:
        self.app = app
        self.path = path
        self.view = view
        self.largest = largest  # bytes of a body; of a larger one the view gets just enough to see that

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] != self.path:
            await self.app(scope, receive, send)
            return
        body = await self._body(receive)
        if body is None:
            return
        try:
            # What stands behind a "?" is of no interest, and may be no text at all.
            request = ASGIRequest({**scope, "query_string": b""}, BytesIO(body))
            response = await self.view(request)
        except (BadRequest, SuspiciousOperation) as error:
            # Django reads some headers as soon as there is a request.
            logger.info("A delivery could not be read: %s", error)
            response = HttpResponse(status=400)
        except Exception:
            # Not acknowledged, so VideoGen sends it again.
            logger.exception("A delivery could not be taken in")
            response = HttpResponse(status=500)
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
        headers.append((b"content-length", str(len(response.content)).encode()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})

    async def _body(self, receive: Any) -> bytes | None:
        """None when the sender has gone in the middle of it."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            if len(body) <= self.largest:
                body += message.get("body", b"")
            if not message.get("more_body", False):
                return bytes(body)
