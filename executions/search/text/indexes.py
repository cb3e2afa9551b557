"""The search indexes: created by a migration, updated by the database, and repaired after each migration.

PostgreSQL has a trigram index and a full-text index. SQLite has two FTS5 tables without a copy of the text, which
triggers keep up to date. For many changes Django rebuilds an SQLite table, which drops its triggers and may renumber
its rows; `ensure_all` runs after every `migrate`, detects that, and rebuilds the index.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation

from executions.search.text.columns import SEARCHED, SearchColumn, vector

PARTS_TOKENS = "trigram"
WORDS_TOKENS = "unicode61 remove_diacritics 0"
# Bytes that FTS5 collects in memory before it writes: its default, and a larger size for rebuilding an index, which
# halves the time.
DEFAULT_HASH_SIZE, REBUILD_HASH_SIZE = 1024 * 1024, 64 * 1024 * 1024


class CreateSearchIndex(Operation):
    """Migration operation that creates and fills the search index of a column."""

    reduces_to_sql = False
    reversible = True

    def __init__(self, table: str, column: str) -> None:
        self.searched = SearchColumn(table, column)

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
    """Create the indexes that are missing or incomplete. Receiver of post_migrate."""
    connection = connections[using]
    tables = set(connection.introspection.table_names())
    for each in SEARCHED:
        if each.table in tables and not is_complete(connection, each):
            create(connection, each)


def is_complete(connection: BaseDatabaseWrapper, searched: SearchColumn) -> bool:
    """Whether the index exists, and on SQLite its triggers too."""
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


def create(connection: BaseDatabaseWrapper, searched: SearchColumn) -> None:
    """Create the index, or replace it, and fill it from the table."""
    drop(connection, searched)
    with connection.cursor() as cursor:
        for statement in _statements(connection, searched):
            cursor.execute(statement)


def drop(connection: BaseDatabaseWrapper, searched: SearchColumn) -> None:
    kind = "INDEX" if connection.vendor == "postgresql" else "TABLE"
    with connection.cursor() as cursor:
        for trigger in triggers(searched) if connection.vendor == "sqlite" else ():
            cursor.execute(f'DROP TRIGGER IF EXISTS "{trigger}"')
        for name in (searched.parts, searched.words):
            cursor.execute(f'DROP {kind} IF EXISTS "{name}"')


def _statements(connection: BaseDatabaseWrapper, searched: SearchColumn) -> list[str]:
    table, column = searched.table, searched.column
    if connection.vendor == "postgresql":
        return [
            f'CREATE INDEX "{searched.parts}" ON "{table}" USING gin ("{column}" gin_trgm_ops)',
            words_index(searched),
        ]
    statements = []
    for name, tokens in ((searched.parts, PARTS_TOKENS), (searched.words, WORDS_TOKENS)):
        statements += [
            f'CREATE VIRTUAL TABLE "{name}" USING fts5("{column}", content="{table}", tokenize="{tokens}")',
            f'INSERT INTO "{name}"("{name}", rank) VALUES (\'hashsize\', {REBUILD_HASH_SIZE})',
            f'INSERT INTO "{name}"("{name}") VALUES (\'rebuild\')',
            f'INSERT INTO "{name}"("{name}", rank) VALUES (\'hashsize\', {DEFAULT_HASH_SIZE})',
        ]
    return statements + list(triggers(searched).values())


def words_index(searched: SearchColumn) -> str:
    """The SQL that creates PostgreSQL's index of whole words."""
    return (
        f'CREATE INDEX "{searched.words}" ON "{searched.table}" USING gin ({vector(f'"{searched.column}"')})'
    )


def triggers(searched: SearchColumn) -> dict[str, str]:
    """SQLite's triggers, by name. To delete an entry, FTS5 needs the text that was indexed."""
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
