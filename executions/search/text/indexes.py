"""The search indexes in the database: made by a migration, kept by the database itself, looked after when migrating.

PostgreSQL: a trigram index and a full-text index. SQLite: two FTS5 tables that hold no text of their own, kept in
step by triggers. Django rebuilds an SQLite table for many a change, which drops its triggers and may renumber its
rows; `ensure_all` runs after every `migrate`, notices that, and builds the index anew.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation

from executions.search.text.columns import SEARCHED, Searched, vector

PARTS_TOKENS = "trigram"
WORDS_TOKENS = "unicode61 remove_diacritics 0"
# Bytes of an FTS5 table that are put in order in memory before they are written: its own measure, and one for filling
# it in one go, which takes half the time.
HASH, LARGE_HASH = 1024 * 1024, 64 * 1024 * 1024


class CreateSearchIndex(Operation):
    """In a migration: make the index of a column, and fill it."""

    reduces_to_sql = False
    reversible = True

    def __init__(self, table: str, column: str) -> None:
        self.searched = Searched(table, column)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [self.searched.table, self.searched.column], {})

    def state_forwards(self, app_label: str, state: Any) -> None:
        pass

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        create(schema_editor.connection, self.searched)

    def database_backwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: Any, to_state: Any
    ) -> None:
        drop(schema_editor.connection, self.searched)

    def describe(self) -> str:
        return f"Create the search index of {self.searched.table}.{self.searched.column}"


def ensure_all(*, using: str, **_: Any) -> None:
    """Make whatever is missing; a receiver of post_migrate."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    for each in SEARCHED:
        if each.table in tables and not stands(connection, each):
            create(connection, each)


def stands(connection: BaseDatabaseWrapper, searched: Searched) -> bool:
    """Whether the index is there, and kept in step."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT count(*) FROM pg_class WHERE relname IN (%s, %s)", [searched.parts, searched.words]
            )
            return bool(cursor.fetchone()[0] == 2)
        names = [searched.parts, searched.words, *triggers(searched)]
        marks = ", ".join("%s" for _ in names)
        cursor.execute(f"SELECT count(*) FROM sqlite_master WHERE name IN ({marks})", names)
        return bool(cursor.fetchone()[0] == len(names))


def create(connection: BaseDatabaseWrapper, searched: Searched) -> None:
    """Make the index anew, and fill it with what the table has."""
    drop(connection, searched)
    with connection.cursor() as cursor:
        for statement in _statements(connection, searched):
            cursor.execute(statement)


def drop(connection: BaseDatabaseWrapper, searched: Searched) -> None:
    kind = "INDEX" if connection.vendor == "postgresql" else "TABLE"
    with connection.cursor() as cursor:
        for trigger in triggers(searched) if connection.vendor == "sqlite" else ():
            cursor.execute(f'DROP TRIGGER IF EXISTS "{trigger}"')
        for name in (searched.parts, searched.words):
            cursor.execute(f'DROP {kind} IF EXISTS "{name}"')


def _statements(connection: BaseDatabaseWrapper, searched: Searched) -> list[str]:
    table, column = searched.table, searched.column
    if connection.vendor == "postgresql":
        return [
            f'CREATE INDEX "{searched.parts}" ON "{table}" USING gin ("{column}" gin_trgm_ops)',
            words_index(searched),
        ]
    made = []
    for name, tokens in ((searched.parts, PARTS_TOKENS), (searched.words, WORDS_TOKENS)):
        made += [
            f'CREATE VIRTUAL TABLE "{name}" USING fts5("{column}", content="{table}", tokenize="{tokens}")',
            f'INSERT INTO "{name}"("{name}", rank) VALUES (\'hashsize\', {LARGE_HASH})',
            f'INSERT INTO "{name}"("{name}") VALUES (\'rebuild\')',
            f'INSERT INTO "{name}"("{name}", rank) VALUES (\'hashsize\', {HASH})',
        ]
    return made + list(triggers(searched).values())


def words_index(searched: Searched) -> str:
    """PostgreSQL's index of whole words, as SQL."""
    return (
        f'CREATE INDEX "{searched.words}" ON "{searched.table}" USING gin ({vector(f'"{searched.column}"')})'
    )


def triggers(searched: Searched) -> dict[str, str]:
    """SQLite's triggers, by name. What leaves the index is told with the words that it had."""
    table, column = searched.table, searched.column
    names = (searched.parts, searched.words)
    enter = "".join(
        f'INSERT INTO "{n}"(rowid, "{column}") VALUES (new.rowid, new."{column}"); ' for n in names
    )
    leave = "".join(
        f'INSERT INTO "{n}"("{n}", rowid, "{column}") VALUES (\'delete\', old.rowid, old."{column}"); '
        for n in names
    )
    prefix = f"{table}_{column}"
    return {
        f"{prefix}_entered": f'CREATE TRIGGER "{prefix}_entered" AFTER INSERT ON "{table}" BEGIN {enter}END',
        f"{prefix}_left": f'CREATE TRIGGER "{prefix}_left" AFTER DELETE ON "{table}" BEGIN {leave}END',
        f"{prefix}_changed": f'CREATE TRIGGER "{prefix}_changed" AFTER UPDATE OF "{column}" ON "{table}" '
        f'WHEN old."{column}" IS NOT new."{column}" BEGIN {leave}{enter}END',
    }
