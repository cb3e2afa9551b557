"""Routes VideoGen's deliveries from the server straight to the receiver, bypassing Django's handler and middleware.

Django spends most of a request's time there: a thread for each request, and a dozen steps for sessions and users.
The receiver needs none of it: it authenticates by a signature over the raw body, uses the database through
executions/core/runtime.py, and renders no HTML.
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


class WebhookBypass:
    """An ASGI application: requests for `path` go to `view`, all others to `app`."""

    def __init__(
        self, app: Any, path: str, view: Callable[[HttpRequest], Awaitable[HttpResponse]], max_body_bytes: int
    ) -> None:
        self.app = app
        self.path = path
        self.view = view
        self.max_body_bytes = max_body_bytes  # the view receives just enough of a larger body to reject it

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["path"] != self.path:
            await self.app(scope, receive, send)
            return
        body = await self._body(receive)
        if body is None:
            return
        try:
            # The query string is not used, and may be invalid.
            request = ASGIRequest({**scope, "query_string": b""}, BytesIO(body))
            response = await self.view(request)
        except (BadRequest, SuspiciousOperation) as error:
            # Django parses some headers when the request is created.
            logger.info("Could not read a delivery: %s", error)
            response = HttpResponse(status=400)
        except Exception:
            # Not acknowledged, so VideoGen will send it again.
            logger.exception("Could not ingest a delivery")
            response = HttpResponse(status=500)
        headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in response.items()]
        headers.append((b"content-length", str(len(response.content)).encode()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})

    async def _body(self, receive: Any) -> bytes | None:
        """The body; None if the sender disconnects before it is complete."""
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            if len(body) <= self.max_body_bytes:
                body += message.get("body", b"")
            if not message.get("more_body", False):
                return bytes(body)
