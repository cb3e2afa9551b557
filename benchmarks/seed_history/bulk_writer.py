"""Writes many rows fast: drops indexes and foreign keys first, and rebuilds them at the end.

On SQLite no other process may write meanwhile. `without_indexes` also rebuilds them after an error.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction

from executions.search.text import indexes as search_index
from executions.search.text.columns import SEARCHED

TABLES = ("executions_execution", "executions_event")
MAX_CONNECTIONS = 2  # connections to PostgreSQL
# Indexes of jobs that are built before the events table is vacuumed, which has to wait for the last event index.
JOB_INDEXES_FIRST = 5
EVENT_COLUMNS = (
    "execution_id, kind, from_status, to_status, source, actor_id, occurred_at, recorded_at, detail"
)
# Columns of a job that its events are made from.
JOB_COLUMNS = "id, status, origin, created_by_id, created_at, sent_at, accepted_at, ended_at"
# The events of a job: kind, from, to, source, actor, time, and the condition for jobs that have it.
JOB_EVENTS = (
    ("'started'", "''", "'queued'", "'person'", "created_by_id", "created_at", "origin = 'here'"),
    ("'sent'", "'queued'", "'queued'", "'system'", "NULL", "sent_at", "origin = 'here'"),
    ("'status'", "'queued'", "'pending'", "'answer'", "NULL", "accepted_at", "origin = 'here'"),
    ("'started'", "''", "'pending'", "'system'", "NULL", "created_at", "origin = 'elsewhere'"),
    ("'status'", "'pending'", "status", "'webhook'", "NULL", "ended_at", "ended_at IS NOT NULL"),
)

type Row = Sequence[Any]


@contextmanager
def without_indexes() -> Iterator[None]:
    """Drop the indexes and constraints that make writing slow, and restore them afterwards."""
    with _without_indexes_postgresql() if connection.vendor == "postgresql" else _without_indexes_sqlite():
        yield


def write(columns: Sequence[str], chunks: Iterable[Sequence[Row]]) -> None:
    """Write jobs, sorted by id, and their events. The next chunk is generated while one is written."""
    if connection.vendor == "postgresql":
        _write_postgresql(columns, chunks)
    else:
        _write_sqlite(columns, iter(chunks))


def _write_sqlite(columns: Sequence[str], chunks: Iterator[Sequence[Row]]) -> None:
    marks = ", ".join("?" for _ in columns)
    insert = f"INSERT INTO executions_execution ({', '.join(columns)}) VALUES ({marks})"
    with ThreadPoolExecutor(1, "made-up") as maker:
        made = maker.submit(next, chunks, None)
        while rows := made.result():
            with transaction.atomic(), connection.cursor() as cursor:
                # Without Django, which would adapt each row separately.
                connection.connection.executemany(insert, rows)
                # Not earlier: SQLite releases the interpreter lock at each row, and would wait long to get it back.
                made = maker.submit(next, chunks, None)
                cursor.execute(_insert_events(), [rows[0][0], rows[-1][0]])


def _write_postgresql(columns: Sequence[str], chunks: Iterable[Sequence[Row]]) -> None:
    copying = f"COPY executions_execution ({', '.join(columns)}) FROM STDIN (NULL 'None')"
    with ThreadPoolExecutor(MAX_CONNECTIONS, "written") as writers:
        writing: deque[Future[None]] = deque()
        for rows in chunks:
            writing.append(writers.submit(_copy, copying, rows))
            if len(writing) > MAX_CONNECTIONS:
                writing.popleft().result()
        for each in writing:
            each.result()


def _copy(copying: str, rows: Sequence[Row]) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # Data lost in a crash of the database can be generated again.
            cursor.execute("SET LOCAL synchronous_commit = off")
            with cursor.copy(copying) as copy:
                # Generated text contains nothing that needs escaping.
                copy.write("\n".join(["\t".join(map(str, row)) for row in rows]) + "\n")
            cursor.execute(_insert_events(), [rows[0][0], rows[-1][0]])
    finally:
        connection.close()


def _insert_events() -> str:
    empty = "'{}'::jsonb" if connection.vendor == "postgresql" else "'{}'"
    parts = [
        f"SELECT id, {kind} AS what, {before}, {after}, {source}, {actor}, {at} AS occurred, {at}, {empty} "
        f"FROM job WHERE {which}"
        for kind, before, after, source, actor, at, which in JOB_EVENTS
    ]
    return (
        f"WITH job AS MATERIALIZED (SELECT {JOB_COLUMNS} FROM executions_execution WHERE id BETWEEN %s AND %s) "
        f"INSERT INTO executions_event ({EVENT_COLUMNS}) {' UNION ALL '.join(parts)} ORDER BY occurred, what DESC"
    )


@contextmanager
def _without_indexes_sqlite() -> Iterator[None]:
    dropped = []
    connection.disable_constraint_checking()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size=-200000")
        cursor.execute("PRAGMA mmap_size=2147418112")
        cursor.execute("PRAGMA synchronous=OFF")
        # The rows are valid by construction. Checking the kind of four million events would take half of the time.
        cursor.execute("PRAGMA ignore_check_constraints=ON")
        marks = ", ".join("%s" for _ in TABLES)
        cursor.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql IS NOT NULL "
            f"AND tbl_name IN ({marks})",
            TABLES,
        )
        found = cursor.fetchall()
        searching = {name for each in SEARCHED for name in search_index.triggers(each)}
        for kind, name, sql in found:
            if kind == "index" and "UNIQUE" not in sql.upper().partition(" ON ")[0]:
                dropped.append(sql)
            elif name not in searching:
                continue  # triggers that protect the rows stay
            cursor.execute(f'DROP {kind} "{name}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            # Sorting in pieces that fit the processor's cache, two at a time, is 25 % faster than all at once.
            cursor.execute("PRAGMA cache_size=-32000")
            cursor.execute("PRAGMA threads=2")
            for statement in dropped:
                cursor.execute(statement)
            # A sample is enough to choose between indexes. Without the limit, each index would be read completely.
            cursor.execute("PRAGMA analysis_limit=1000")
            cursor.execute("ANALYZE")
            # All events are unsealed now, but almost none will be later. With statistics from now, the planner would
            # search the whole audit log for unsealed events.
            cursor.execute("DELETE FROM sqlite_stat1 WHERE idx = 'event_to_seal'")
            cursor.execute("ANALYZE sqlite_master")
            for each in SEARCHED:
                if each.table in TABLES:
                    search_index.create(connection, each)
            cursor.execute("PRAGMA ignore_check_constraints=OFF")
            cursor.execute("PRAGMA synchronous=NORMAL")
        connection.enable_constraint_checking()


@contextmanager
def _without_indexes_postgresql() -> Iterator[None]:
    names = [list(TABLES)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'f' AND conrelid::regclass::text = ANY(%s)",
            names,
        )
        keys = cursor.fetchall()
        for table, name, _ in keys:
            cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')
        cursor.execute(
            "SELECT i.indrelid::regclass::text, c.relname, pg_get_indexdef(i.indexrelid) FROM pg_index i "
            "JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE i.indrelid::regclass::text = ANY(%s) AND NOT i.indisunique",
            names,
        )
        indexes = cursor.fetchall()
        for _, name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for table, name, definition in keys:
                cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition} NOT VALID')
        checks = [(table, f'ALTER TABLE {table} VALIDATE CONSTRAINT "{name}"') for table, name, _ in keys]
        _run_concurrently(_ordered([(table, definition) for table, _, definition in indexes], checks))


def _ordered(indexes: Sequence[tuple[str, str]], checks: Sequence[tuple[str, str]]) -> list[str]:
    """The statements, longest first, so that two connections finish together.

    A table is vacuumed while indexes of the other are built. VACUUM also fills the visibility map, which allows
    index-only scans.
    """
    jobs, events = TABLES
    search = [each for _, each in indexes if "USING gin" in each]
    of_jobs = [each for table, each in indexes if table == jobs and each not in search]
    of_events = sorted(
        (each for table, each in indexes if table == events), key=lambda each: -each.count(",")
    )
    vacuums = {
        table: [f"VACUUM ANALYZE {table}", *(each for on, each in checks if on == table)] for table in TABLES
    }
    return [
        *search,
        *of_events,
        *of_jobs[:JOB_INDEXES_FIRST],
        *vacuums[events],
        *of_jobs[JOB_INDEXES_FIRST:],
        *vacuums[jobs],
    ]


def _run_concurrently(statements: Sequence[str]) -> None:
    """Run the statements concurrently, each on its own connection."""
    with ThreadPoolExecutor(MAX_CONNECTIONS, "indexes") as builders:
        for done in [builders.submit(_build, each) for each in statements]:
            done.result()


def _build(statement: str) -> None:
    try:
        with connection.cursor() as cursor:
            # Sorting in pieces that fit the processor's cache is 17 % faster than all at once.
            cursor.execute("SET maintenance_work_mem = '16MB'")
            cursor.execute("SET max_parallel_maintenance_workers = 0")
            cursor.execute(statement)
    finally:
        connection.close()
