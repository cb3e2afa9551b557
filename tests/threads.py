"""Runs functions at the same moment, in threads with their own database connections."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from tests.waiting import DEADLINE


def run_together[T](functions: Sequence[Callable[[], T]]) -> list[T]:
    """Start all functions at once. Returns their results in order; raises the first exception."""
    gate = threading.Barrier(len(functions))

    def run(function: Callable[[], T]) -> T:
        try:
            gate.wait(DEADLINE)
            return function()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=len(functions)) as pool:
        return [future.result(DEADLINE) for future in [pool.submit(run, function) for function in functions]]
