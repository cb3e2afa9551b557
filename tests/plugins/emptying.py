"""After a test that commits, only the tables that it wrote to are emptied, rather than all of them.

Django's own way empties every table and then makes the content types and permissions anew, for which it asks the
database some hundred times. Those two stay as the migrations left them. The record refuses to be deleted from:
the triggers that do it are asleep meanwhile, for this connection or this transaction only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

KEPT = {"django_content_type", "auth_permission", "django_migrations"}


@cache
def tables(alias: str) -> tuple[str, ...]:
    from django.db import connections

    known = connections[alias].introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(sorted(set(known) - KEPT))


def written(connection: Any) -> list[str]:
    """The tables that are not empty."""
    looks = (
        f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)})"
        for name in tables(connection.alias)
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(looks))
        return [name for (name,) in cursor.fetchall()]


@contextmanager
def triggers_asleep(connection: Any, names: list[str]) -> Iterator[None]:
    """Those of these tables do nothing."""
    if connection.vendor == "sqlite":
        connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, False)
        try:
            yield
        finally:
            connection.connection.setconfig(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, True)
        return
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(f"ALTER TABLE {name} DISABLE TRIGGER USER")
        yield
        for name in names:
            cursor.execute(f"ALTER TABLE {name} ENABLE TRIGGER USER")


def empty(connection: Any) -> None:
    """What a test took away from the schema is put back, too."""
    from django.db import transaction

    from executions.audit import triggers
    from executions.search.text import indexes

    left = written(connection)
    guarded = [name for name in left if name in (triggers.EVENTS, triggers.SUMMARIES)]
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if guarded:
            with triggers_asleep(connection, guarded):
                for name in guarded:
                    cursor.execute(f"DELETE FROM {name}")
        for name in left:
            if name not in guarded:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")
    if triggers.missing(connection):
        triggers.install(connection)
    indexes.ensure_all(using=connection.alias)


@pytest.fixture(autouse=True, scope="session")
def _empties_what_was_written() -> Iterator[None]:
    from django.db import connections
    from django.test import TransactionTestCase

    def tear_down(case: Any) -> None:
        for alias in case._databases_names(include_mirrors=False):
            empty(connections[alias])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", tear_down)
        yield
