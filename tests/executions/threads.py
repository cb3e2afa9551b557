"""Work that is done at the same moment, in threads with database connections of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from django.db import connections

from tests.waiting import DEADLINE


def together[T](works: Sequence[Callable[[], T]]) -> list[T]:
    """Begin all of `works` at once; what each returned, in their order. Raises what one of them raised."""
    gate = threading.Barrier(len(works))

    def begin(work: Callable[[], T]) -> T:
        try:
            gate.wait(DEADLINE)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(max_workers=len(works)) as pool:
        return [future.result(DEADLINE) for future in [pool.submit(begin, work) for work in works]]
