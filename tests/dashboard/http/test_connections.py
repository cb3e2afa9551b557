"""The database's connections, of which a pool has few: whoever has nothing more to ask gives theirs back."""

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
    """This thread's connection, as a view has it that looked something up."""
    connection.ensure_connection()
    return connections["default"]


async def test_a_streamed_answer_holds_none_while_a_client_takes_it() -> None:
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


@pytest.mark.parametrize("leaves_with", [asyncio.CancelledError, RuntimeError])
async def test_a_view_that_was_given_up_gives_its_back_when_it_ends(
    leaves_with: type[BaseException],
) -> None:
    """The server cancels what goes on 10 seconds after its client has gone: the thread goes on all the same.

    asgiref may turn that into a RuntimeError of its own on the way.
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
                raise leaves_with() from None

    messages = asyncio.Queue[dict[str, Any]]()
    messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def send(message: dict[str, Any]) -> None:
        raise AssertionError("there is nobody to send to")

    request = asyncio.create_task(Slow()(SCOPE, messages.get, send))
    await asyncio.to_thread(began.wait, 30)
    for _ in range(2):  # once and again, as the server does
        request.cancel()
        await asyncio.sleep(0)  # a turn of the loop, in which the cancel arrives
    assert held[0].connection is not None
    closed = threading.Event()
    close = held[0].close

    def told() -> None:
        close()
        closed.set()

    held[0].close = told
    may_end.set()
    assert await asyncio.to_thread(closed.wait, 30)
    assert held[0].connection is None
    await asyncio.gather(request, return_exceptions=True)


@pytest.mark.skipif("connection.vendor != 'postgresql'", reason="a pool is PostgreSQL's")
def test_whoever_waits_for_videogen_holds_none() -> None:
    mine = opened()

    async def call() -> bool:
        return mine.connection is None

    assert sync_bridge.wait_for(call)
