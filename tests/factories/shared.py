"""Rows that all tests of a module share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import transaction


@contextmanager
def shared_rows[T](blocker: Any, build: Callable[[], T]) -> Iterator[T]:
    """The return value of `build`. The rows that it wrote are rolled back at the end; each test's changes after the test.

    `blocker` is pytest-django's `django_db_blocker`. Tests that commit (`transactional_db`) cannot share
    rows: they would wait for this transaction, or empty the tables.
    """
    with blocker.unblock():
        outer = transaction.atomic()
        # As Django's TestCase does: `durable` transactions may begin inside this one.
        outer._from_testcase = True
        outer.__enter__()
        try:
            built = build()
        except BaseException as error:
            outer.__exit__(type(error), error, error.__traceback__)
            raise
    try:
        yield built
    finally:
        with blocker.unblock():
            transaction.set_rollback(True)
            outer.__exit__(None, None, None)
