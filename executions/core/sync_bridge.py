"""The only way from a thread into the event loop: schedule a call, start a coroutine, or wait for its result.

The loop is the one given to `runtime.attach`. No other module calls into a loop from outside (tests/house).
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

# Seconds. A call that is retried may take longer; then the caller gets TimeoutError.
CALL_TIMEOUT = 60.0

_spawned: set[Future[Any]] = set()


def post(callback: Callable[..., object], *args: Any, loop: asyncio.AbstractEventLoop | None = None) -> bool:
    """Schedule `callback(*args)` in `loop`, by default the attached one. Returns False if the loop is not running."""
    running = _running(loop)
    if running is None:
        return False
    # Wakes the loop at once. async_to_sync would wait until something else does: 300 ms instead of 2 ms.
    running.call_soon_threadsafe(callback, *args)
    return True


def spawn[T](
    work: Callable[..., Coroutine[Any, Any, T]],
    *args: Any,
    keep_address: bool = False,
    loop: asyncio.AbstractEventLoop | None = None,
) -> Future[T] | None:
    """Start `work(*args)` in `loop`, by default the attached one. Returns None if the loop is not running.

    Events that it writes have no client address, unless the caller waits for it and passes `keep_address=True`.
    """
    running = _running(loop)
    if running is None:
        return None
    with request_context.from_address(request_context.address() if keep_address else ""):
        spawned = asyncio.run_coroutine_threadsafe(work(*args), running)
    _spawned.add(spawned)
    spawned.add_done_callback(_spawned.discard)
    return spawned


async def drain(seconds: float) -> None:
    """Wait at most this long for spawned work to finish."""
    running = [asyncio.wrap_future(each) for each in list(_spawned)]
    if running:
        await asyncio.wait(running, timeout=max(0.0, seconds))


def run[T](work: Callable[..., Coroutine[Any, Any, T]], *args: Any, timeout: float = CALL_TIMEOUT) -> T:
    """Run `work(*args)` and return its result. For sync code only.

    Uses the attached loop, or a temporary one. Raises what `work` raises, and TimeoutError if the attached loop takes
    longer than `timeout` seconds.
    """
    spawned = spawn(work, *args, keep_address=True)
    if spawned is not None:
        return spawned.result(timeout)
    result: T = async_to_sync(_run_once)(work, *args)
    return result


def wait_for[T](work: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
    """`run`, for a view that calls VideoGen: holds no database connection while it waits."""
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        # The pool is small, and VideoGen may be slow.
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
