"""Waiting for what becomes true by and by. A deadline only bounds a failure: no test is faster or slower for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Any, cast

DEADLINE = 60.0  # seconds, on a machine that is busy with other tests
PROCESS_DEADLINE = 120.0  # seconds; for processes that start or end
SHORTEST_PAUSE, LONGEST_PAUSE = 0.002, 0.05  # seconds


def _pauses() -> Iterator[float]:
    """Most of what tests wait for is there at once; what is not is not asked for all the time."""
    pause = SHORTEST_PAUSE
    while True:
        yield pause
        pause = min(1.5 * pause, LONGEST_PAUSE)


def _check(deadline: float, seen: Any, seconds: float) -> None:
    assert time.monotonic() < deadline, f"still {seen!r} after {seconds} s"


def eventually[T](
    look: Callable[[], T | None], good: Callable[[T], Any] = bool, *, seconds: float = DEADLINE
) -> T:
    """What `look` returns, once that is good: by default, once it is true."""
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        seen = cast("T", look())
        if good(seen):
            return seen
        _check(deadline, seen, seconds)
        time.sleep(pause)  # rows and other processes do not report their changes
    raise AssertionError  # not reached: the pauses have no end


async def until[T](look: Callable[[], Awaitable[T] | T], *, seconds: float = DEADLINE) -> T:
    """What `look`, sync or async, returns once it is true."""
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        seen: Any = look()
        if isawaitable(seen):
            seen = await seen
        if seen:
            return cast("T", seen)
        _check(deadline, seen, seconds)
        await asyncio.sleep(pause)  # rows and other processes do not report their changes
    raise AssertionError  # not reached: the pauses have no end
