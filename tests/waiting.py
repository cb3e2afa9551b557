"""Waiting for a condition. A deadline only limits how long a failing test takes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Any, cast

DEADLINE = 60.0  # seconds, on a machine that is busy with other tests
PROCESS_DEADLINE = 120.0  # seconds; for processes that start or stop
MIN_PAUSE, MAX_PAUSE = 0.002, 0.05  # seconds


def _pauses() -> Iterator[float]:
    """Growing pauses: most conditions are true at once, and the others are not checked all the time."""
    pause = MIN_PAUSE
    while True:
        yield pause
        pause = min(1.5 * pause, MAX_PAUSE)


def _check_deadline(deadline: float, value: Any, seconds: float) -> None:
    assert time.monotonic() < deadline, f"still {value!r} after {seconds} s"


def eventually[T](
    read: Callable[[], T | None], accept: Callable[[T], Any] = bool, *, seconds: float = DEADLINE
) -> T:
    """The value of `read()`, once `accept` accepts it; by default, once it is true."""
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        value = cast("T", read())
        if accept(value):
            return value
        _check_deadline(deadline, value, seconds)
        time.sleep(pause)  # rows and other processes do not report their changes
    raise AssertionError  # unreachable: the pauses are endless


async def until[T](read: Callable[[], Awaitable[T] | T], *, seconds: float = DEADLINE) -> T:
    """The value of `read()`, sync or async, once it is true."""
    deadline = time.monotonic() + seconds
    for pause in _pauses():
        value: Any = read()
        if isawaitable(value):
            value = await value
        if value:
            return cast("T", value)
        _check_deadline(deadline, value, seconds)
        await asyncio.sleep(pause)  # rows and other processes do not report their changes
    raise AssertionError  # unreachable: the pauses are endless
