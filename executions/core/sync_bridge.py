"""The one way from a thread into the event loop: hand over a call, start a coroutine, or wait for its outcome.

`runtime.attach` says which loop that is. No other module calls into a loop from outside (tests/house).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connection

from executions.core import request_context, runtime

CALL_TIMEOUT = 60.0  # seconds; the client gives up long before

_spawned: set[Future[Any]] = set()


def post(callback: Callable[..., object], *args: Any, loop: asyncio.AbstractEventLoop | None = None) -> bool:
    """Call `callback(*args)` in the attached loop soon, or in `loop`; False where it does not run."""
    running = _running(loop)
    if running is None:
        return False
    # async_to_sync would wait until something else wakes the loop: 300 ms against 2 ms.
    running.call_soon_threadsafe(callback, *args)
    return True


def spawn[T](
    work: Callable[..., Coroutine[Any, Any, T]],
    *args: Any,
    is_own: bool = True,
    loop: asyncio.AbstractEventLoop | None = None,
) -> Future[T] | None:
    """Run `work(*args)` in the attached loop, or in `loop`; None where it does not run.

    From there on it is the system's own work; a caller who waits for it says `is_own=False`, so that events
    carry the caller's address.
    """
    running = _running(loop)
    if running is None:
        return None
    with request_context.from_address("" if is_own else request_context.address()):
        spawned = asyncio.run_coroutine_threadsafe(work(*args), running)
    _spawned.add(spawned)
    spawned.add_done_callback(_spawned.discard)
    return spawned


async def drain(seconds: float) -> None:
    """Let spawned work finish, for at most this long."""
    running = [asyncio.wrap_future(each) for each in list(_spawned)]
    if running:
        await asyncio.wait(running, timeout=max(0.0, seconds))


def run[T](work: Callable[..., Coroutine[Any, Any, T]], *args: Any, timeout: float = CALL_TIMEOUT) -> T:
    """The outcome of `work(*args)`: in the attached loop, or in one made for the call. For sync code only.

    Raises what `work` raises, and TimeoutError when the attached loop takes longer than `timeout` seconds.
    """
    spawned = spawn(work, *args, is_own=False)
    if spawned is not None:
        return spawned.result(timeout)
    outcome: T = async_to_sync(_run_once)(work, *args)
    return outcome


def wait_for[T](work: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
    """`run` for a call to VideoGen from a view, which holds no database connection while it waits."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        # The pool has few, and VideoGen may take its time.
        connection.close()
    return run(partial(work, **kwargs), *args)


def _running(loop: asyncio.AbstractEventLoop | None) -> asyncio.AbstractEventLoop | None:
    if loop is None:
        return runtime.attached_loop()
    return loop if loop.is_running() else None


async def _run_once[T](work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    try:
        return await work(*args)
    finally:
        await runtime.close_client()
