"""Django's request handler with two changes: large bodies stay files on disk, and idle database connections go back.

Who may send a large body is decided in upload_guard.py. A connection pool has few connections, so a request that has
no more queries to run keeps none.
"""

from __future__ import annotations

from typing import IO, Any

from asgiref.sync import SyncToAsync, sync_to_async
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.db import close_old_connections, connections
from django.http import HttpResponseBase

from dashboard.http.upload_guard import BODY_SCOPE_KEY


class _ReceiveWithBody:
    """A request's `receive`, together with the file that holds its body."""

    def __init__(self, receive: Any, body: IO[bytes]) -> None:
        self.receive = receive
        self.body = body

    async def __call__(self) -> Any:
        return await self.receive()


def _close_connections_after_view() -> None:
    """Close the connections of the request's thread as soon as the view that still runs there has finished."""
    context = SyncToAsync.thread_sensitive_context.get(None)
    executor = SyncToAsync.context_to_thread_executor.get(context) if context is not None else None
    if executor is not None:
        executor.submit(connections.close_all)


class PageHandler(ASGIHandler):
    """Django's handler, but it does not copy large bodies or hold a connection while a response streams or is dropped."""

    async def handle(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        body = scope.get(BODY_SCOPE_KEY)
        try:
            await super().handle(scope, receive if body is None else _ReceiveWithBody(receive, body), send)
        except BaseException:
            # Most likely the server cancelled a view whose client has gone: then the request_finished signal, which
            # would return the connection, is never sent.
            _close_connections_after_view()
            raise

    async def send_response(self, response: HttpResponseBase, send: Any) -> None:
        if response.streaming:
            # A slow client may take minutes.
            await sync_to_async(close_old_connections)()
        await super().send_response(response, send)

    async def read_body(self, receive: Any) -> IO[bytes]:
        if not isinstance(receive, _ReceiveWithBody):
            return await super().read_body(receive)
        # The empty body that the server announced in its place.
        message = await receive()
        if message["type"] == "http.disconnect":
            receive.body.close()
            raise RequestAborted()
        receive.body.seek(0)
        return receive.body
