"""Django's handler of requests, with two things of our own.

Bodies that are too large for memory: who may send one, and how it reaches a view as the file that it is on disk.
And the database's connections, of which a pool has few: a request that has nothing more to ask keeps none.
"""

from __future__ import annotations

from importlib import import_module
from typing import IO, Any

from asgiref.sync import SyncToAsync, sync_to_async
from django.conf import settings
from django.contrib.auth import get_user
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections, connections
from django.http import HttpRequest, HttpResponseBase, parse_cookie

from executions.files import uploads

# Bytes: the largest file, and room for the form around it where there is no script.
LARGEST = uploads.LARGEST + 1024 * 1024
IN_SCOPE = "rushes.body"


def is_signed_in(cookies: str) -> bool:
    """Whether a Cookie header belongs to a session of somebody who may still come in."""
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    if not key:
        return False
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    return bool(user.is_authenticated and user.is_active)


class _Whole:
    """A request's messages, with the file that its body lies in."""

    def __init__(self, receive: Any, body: IO[bytes]) -> None:
        self.receive = receive
        self.body = body

    async def __call__(self) -> Any:
        return await self.receive()


def _give_back_after_view() -> None:
    """Close the connections of the request's own thread, once it has done what it may still be in the middle of."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = SyncToAsync.context_to_thread_executor.get(context) if context is not None else None
    if executor is not None:
        executor.submit(connections.close_all)


class Pages(ASGIHandler):
    """Django's own would copy a large body once more, and keep its connection while it streams or when it is dropped."""

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = scope.get(IN_SCOPE)
        try:
            await super().handle(scope, receive if body is None else _Whole(receive, body), send)
        except BaseException:
            # Most likely the server gave up a view whose client has gone: then the signal that ends a request, and
            # gives its connection back, does not get through.
            _give_back_after_view()
            raise

    async def send_response(self, response: HttpResponseBase, send: Any) -> None:
        if response.streaming:
            # A slow client takes minutes.
            await sync_to_async(close_old_connections)()
        await super().send_response(response, send)

    async def read_body(self, receive: Any) -> IO[bytes]:
        if not isinstance(receive, _Whole):
            return await super().read_body(receive)
        # The empty body that daphne told of instead.
        message = await receive()
        if message["type"] == "http.disconnect":
            receive.body.close()
            raise RequestAborted()
        receive.body.seek(0)
        return receive.body
