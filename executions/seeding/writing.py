"""Writes many rows fast: indexes and foreign keys are taken away first and come back at the end, built in one go.

On SQLite no other process may write meanwhile. What breaks off leaves the table without some indexes: `bare` puts
them back before it lets an error through.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from executions.searching import index as search_index
from executions.searching.columns import SEARCHED

TABLES = ("executions_execution", "executions_event")
EVENT_COLUMNS = (
    "execution_id, kind, from_status, to_status, source, actor_id, occurred_at, recorded_at, detail"
)
# One line of a job's story each: kind, from, to, who says so, who did it, when, and for which jobs.
STORY = (
    ("'started'", "''", "'queued'", "'person'", "created_by_id", "created_at", "origin = 'here'"),
    ("'sent'", "'queued'", "'queued'", "'system'", "NULL", "sent_at", "origin = 'here'"),
    ("'status'", "'queued'", "'pending'", "'answer'", "NULL", "accepted_at", "origin = 'here'"),
    ("'started'", "''", "'pending'", "'system'", "NULL", "created_at", "origin = 'elsewhere'"),
    ("'status'", "'pending'", "status", "'webhook'", "NULL", "ended_at", "ended_at IS NOT NULL"),
)


@contextmanager
def bare() -> Iterator[None]:
    """The tables without what makes writing slow."""
    back = _take_away_postgresql() if connection.vendor == "postgresql" else _take_away_sqlite()
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for statement in back:
                cursor.execute(statement)
            if connection.vendor == "sqlite":
                # A sample is enough to choose between indexes; else every one is read to its end.
                cursor.execute("PRAGMA analysis_limit=1000")
            # PostgreSQL also notes which pages everybody sees as they are: an index alone answers then.
            cursor.execute("ANALYZE" if connection.vendor == "sqlite" else "VACUUM ANALYZE")
        for each in SEARCHED:
            if each.table in TABLES and not search_index.stands(connection, each):
                search_index.create(connection, each)
        if connection.vendor == "sqlite":
            connection.enable_constraint_checking()


def write_jobs(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """One chunk of jobs, in the order of their ids, with the events that tell of them."""
    names = ", ".join(columns)
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with cursor.copy(f"COPY executions_execution ({names}) FROM STDIN") as copy:
                copy.write("".join(_line(row) for row in rows))
        else:
            marks = ", ".join("?" for _ in columns)
            # Past Django, which would prepare every row anew.
            connection.connection.executemany(
                f"INSERT INTO executions_execution ({names}) VALUES ({marks})", rows
            )
        cursor.execute(_story(), [rows[0][0], rows[-1][0]] * len(STORY))


def _story() -> str:
    empty = "'{}'::jsonb" if connection.vendor == "postgresql" else "'{}'"
    parts = [
        f"SELECT id, {kind} AS what, {before}, {after}, {source}, {actor}, {at} AS occurred, {at}, {empty} "
        f"FROM executions_execution WHERE id BETWEEN %s AND %s AND {which}"
        for kind, before, after, source, actor, at, which in STORY
    ]
    return f"INSERT INTO executions_event ({EVENT_COLUMNS}) {' UNION ALL '.join(parts)} ORDER BY occurred, what DESC"


def _line(row: Sequence[Any]) -> str:
    return "\t".join(["\\N" if value is None else str(value) for value in row]) + "\n"


def _take_away_sqlite() -> list[str]:
    connection.disable_constraint_checking()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size=-200000")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.execute("PRAGMA synchronous=OFF")
        marks = ", ".join("%s" for _ in TABLES)
        cursor.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL "
            f"AND tbl_name IN ({marks})",
            TABLES,
        )
        found = cursor.fetchall()
        searching = {name for each in SEARCHED for name in search_index.triggers(each)}
        back = []
        for kind, name, sql in found:
            if kind == "index" and "UNIQUE" not in sql.upper().partition(" ON ")[0]:
                back.append(sql)
            elif name not in searching:
                continue  # what guards the rows stays
            cursor.execute(f'DROP {kind} "{name}"')
        back += ["PRAGMA synchronous=NORMAL"]
    return back


def _take_away_postgresql() -> list[str]:
    back = []
    with connection.cursor() as cursor:
        cursor.execute("SET maintenance_work_mem = '512MB'")
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s)",
            [list(TABLES)],
        )
        for table, name, definition in cursor.fetchall():
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
            back.append(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
        cursor.execute(
            "SELECT c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i "
            "JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE i.indrelid::regclass::text = ANY(%s) AND NOT i.indisunique",
            [list(TABLES)],
        )
        for name, definition in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')
            back.insert(0, definition)
    return back
