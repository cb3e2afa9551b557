"""Rows that are written once for all tests of a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction


@contextmanager
def shared[T](blocker: Any, build: Callable[[], T]) -> Iterator[T]:
    """What `build` wrote and returned; it is rolled back at the end, as each test's own changes are after the test.

    `blocker` is pytest-django's `django_db_blocker`. Tests that commit (`transactional_db`) cannot share rows: they
    would wait for this transaction, or empty the tables.
    """
    with blocker.unblock():
        outer = transaction.atomic()
        # As Django's own TestCase marks its transactions: what must be outermost in life may begin inside of it.
        outer._from_testcase = True
        outer.__enter__()
        try:
            made = build()
        except BaseException as error:
            outer.__exit__(type(error), error, error.__traceback__)
            raise
    try:
        yield made
    finally:
        with blocker.unblock():
            transaction.set_rollback(True)
            outer.__exit__(None, None, None)
