"""A call to VideoGen from a view that waits for it: in the server's loop, or in one made for the call."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from django.db import connection

from executions.core import runtime

PATIENCE = 60.0  # seconds; the client gives up long before


def wait_for[T](work: Callable[..., Coroutine[Any, Any, T]], *args: Any, **kwargs: Any) -> T:
    """The outcome of `work(*args, **kwargs)`, or what it raises. For sync code only; TimeoutError when it takes too long."""
    work = partial(work, **kwargs)
    if connection.vendor == "postgresql" and not connection.in_atomic_block:
        # The pool has few, and VideoGen may take its time.
        connection.close()
    running: concurrent.futures.Future[T] | None = runtime.spawn(work, *args, is_own=False)
    if running is not None:
        return running.result(timeout=PATIENCE)
    outcome: T = async_to_sync(_once)(work, *args)
    return outcome


async def _once[T](work: Callable[..., Coroutine[Any, Any, T]], *args: Any) -> T:
    try:
        return await work(*args)
    finally:
        await runtime.close_client()
