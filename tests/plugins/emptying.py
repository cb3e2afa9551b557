"""After a test that commits, empties only the tables that the test wrote to.

Django empties every table and then creates the content types and permissions again, with some hundred queries. Here
these two stay as the migrations left them. The audit log refuses deletions: its triggers are disabled meanwhile, for
this connection or this transaction only.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from tests.waiting import eventually

UNCHANGED_TABLES = {"django_content_type", "auth_permission", "django_migrations"}


@cache
def tables(alias: str) -> tuple[str, ...]:
    from django.db import connections

    names = connections[alias].introspection.django_table_names(only_existing=True, include_views=False)
    return tuple(sorted(set(names) - UNCHANGED_TABLES))


def filled_tables(connection: Any) -> list[str]:
    """The tables that are not empty."""
    queries = (
        f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)})"
        for name in tables(connection.alias)
    )
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(queries))
        return [name for (name,) in cursor.fetchall()]


@contextmanager
def triggers_disabled(connection: Any, names: list[str]) -> Iterator[None]:
    """Disable the triggers of these tables (on SQLite all triggers of the connection)."""
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


def is_idle(connection: Any) -> bool:
    """Whether no other connection is in a transaction. The thread of a cancelled task may be.

    On SQLite a lock keeps the writers apart.
    """
    if connection.vendor == "sqlite":
        return True
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND xact_start IS NOT NULL"
        )
        return cursor.fetchone() == (0,)


def reset(connection: Any) -> None:
    """Empty the tables, and restore triggers and indexes that a test removed."""
    from executions.audit import triggers
    from executions.search.text import indexes

    eventually(lambda: is_idle(connection) and is_emptied(connection))
    if triggers.missing(connection):
        triggers.install(connection)
    indexes.ensure_all(using=connection.alias)


def is_emptied(connection: Any) -> bool:
    """Empty the tables. False if another connection has begun a transaction meanwhile and caused a deadlock."""
    from django.db import OperationalError

    try:
        empty(connection)
    except OperationalError as error:
        if "deadlock detected" not in str(error):
            raise
        return False
    return True


def empty(connection: Any) -> None:
    from django.db import transaction

    from executions.audit import triggers

    filled = filled_tables(connection)
    guarded = [name for name in filled if name in (triggers.EVENTS, triggers.SUMMARIES)]
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        if guarded:
            with triggers_disabled(connection, guarded):
                for name in guarded:
                    cursor.execute(f"DELETE FROM {name}")
        for name in filled:
            if name not in guarded:
                cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")


@pytest.fixture(autouse=True, scope="session")
def _reset_after_commits() -> Iterator[None]:
    from django.db import connections
    from django.test import TransactionTestCase

    def tear_down(case: Any) -> None:
        for alias in case._databases_names(include_mirrors=False):
            reset(connections[alias])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", tear_down)
        yield
