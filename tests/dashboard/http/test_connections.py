"""Database connections are returned to the pool, which has few, as soon as a request needs none."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connection, connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse

from dashboard.http.asgi_handler import PageHandler
from executions.core import sync_bridge
from tests.waiting import DEADLINE

pytestmark = pytest.mark.django_db(transaction=True)
SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/",
    "headers": [],
    "query_string": b"",
    "root_path": "",
}


def opened() -> Any:
    """This thread's open connection, as in a view that has run a query."""
    connection.ensure_connection()
    return connections["default"]


async def test_a_streamed_response_holds_no_connection() -> None:
    held: list[Any] = []
    seen: list[bool] = []

    async def pieces() -> Any:
        yield b"a piece"

    async def send(message: dict[str, Any]) -> None:
        if message.get("body"):
            seen.append(held[0].connection is None)

    async with ThreadSensitiveContext():
        held.append(await sync_to_async(opened)())
        await PageHandler().send_response(StreamingHttpResponse(pieces()), send)
    assert seen == [True]


@pytest.mark.parametrize("raised", [asyncio.CancelledError, RuntimeError])
async def test_an_abandoned_view_returns_its_connection_when_it_ends(
    raised: type[BaseException],
) -> None:
    """The server cancels requests 10 seconds after their client has disconnected; their thread continues.

    asgiref may turn the cancellation into a RuntimeError.
    """
    held: list[Any] = []
    began, may_end = threading.Event(), threading.Event()

    def view() -> HttpResponse:
        held.append(opened())
        began.set()
        may_end.wait(DEADLINE)
        return HttpResponse()

    class Slow(PageHandler):
        async def run_get_response(self, request: HttpRequest) -> HttpResponse:
            try:
                return await sync_to_async(view)()
            except asyncio.CancelledError:
                raise raised() from None

    messages = asyncio.Queue[dict[str, Any]]()
    messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def send(message: dict[str, Any]) -> None:
        raise AssertionError("the client has disconnected")

    request = asyncio.create_task(Slow()(SCOPE, messages.get, send))
    await asyncio.to_thread(began.wait, 30)
    for _ in range(2):  # twice, as the server does
        request.cancel()
        await asyncio.sleep(0)  # one turn of the loop, in which the cancellation arrives
    assert held[0].connection is not None
    closed = threading.Event()
    close = held[0].close

    def observed_close() -> None:
        close()
        closed.set()

    held[0].close = observed_close
    may_end.set()
    assert await asyncio.to_thread(closed.wait, 30)
    assert held[0].connection is None
    await asyncio.gather(request, return_exceptions=True)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="only PostgreSQL has a pool")
def test_waiting_for_videogen_holds_no_connection() -> None:
    mine = opened()

    async def call() -> bool:
        return mine.connection is None

    assert sync_bridge.wait_for(call)
