"""Writes many rows fast: indexes and foreign keys are taken away first and come back at the end, each built in one go.

On SQLite no other process may write meanwhile. What breaks off leaves the table without some indexes: `bare` puts
them back before it lets an error through.
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
AT_A_TIME = 2  # connections to PostgreSQL
# After so many indexes of jobs the last one of events is made, for which looking through these would wait.
LATER = 5
EVENT_COLUMNS = (
    "execution_id, kind, from_status, to_status, source, actor_id, occurred_at, recorded_at, detail"
)
# What of a job its events tell of.
TOLD = "id, status, origin, created_by_id, created_at, sent_at, accepted_at, ended_at"
# One line of a job's story each: kind, from, to, who says so, who did it, when, and for which jobs.
STORY = (
    ("'started'", "''", "'queued'", "'person'", "created_by_id", "created_at", "origin = 'here'"),
    ("'sent'", "'queued'", "'queued'", "'system'", "NULL", "sent_at", "origin = 'here'"),
    ("'status'", "'queued'", "'pending'", "'answer'", "NULL", "accepted_at", "origin = 'here'"),
    ("'started'", "''", "'pending'", "'system'", "NULL", "created_at", "origin = 'elsewhere'"),
    ("'status'", "'pending'", "status", "'webhook'", "NULL", "ended_at", "ended_at IS NOT NULL"),
)

type Row = Sequence[Any]


@contextmanager
def bare() -> Iterator[None]:
    """The tables without what makes writing slow."""
    with _bare_postgresql() if connection.vendor == "postgresql" else _bare_sqlite():
        yield


def write(columns: Sequence[str], chunks: Iterable[Sequence[Row]]) -> None:
    """Jobs in the order of their ids, with the events that tell of them. A chunk is made while another is written."""
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
                # Past Django, which would prepare every row anew.
                connection.connection.executemany(insert, rows)
                # Not before: SQLite gives the interpreter away at each row, and waits long to have it back.
                made = maker.submit(next, chunks, None)
                cursor.execute(_story(), [rows[0][0], rows[-1][0]])


def _write_postgresql(columns: Sequence[str], chunks: Iterable[Sequence[Row]]) -> None:
    copying = f"COPY executions_execution ({', '.join(columns)}) FROM STDIN (NULL 'None')"
    with ThreadPoolExecutor(AT_A_TIME, "written") as writers:
        writing: deque[Future[None]] = deque()
        for rows in chunks:
            writing.append(writers.submit(_copy, copying, rows))
            if len(writing) > AT_A_TIME:
                writing.popleft().result()
        for each in writing:
            each.result()


def _copy(copying: str, rows: Sequence[Row]) -> None:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            # What a crash of the database takes away is made up again.
            cursor.execute("SET LOCAL synchronous_commit = off")
            with cursor.copy(copying) as copy:
                # No made-up text has anything in it that would have to be written otherwise.
                copy.write("\n".join(["\t".join(map(str, row)) for row in rows]) + "\n")
            cursor.execute(_story(), [rows[0][0], rows[-1][0]])
    finally:
        connection.close()


def _story() -> str:
    empty = "'{}'::jsonb" if connection.vendor == "postgresql" else "'{}'"
    parts = [
        f"SELECT id, {kind} AS what, {before}, {after}, {source}, {actor}, {at} AS occurred, {at}, {empty} "
        f"FROM job WHERE {which}"
        for kind, before, after, source, actor, at, which in STORY
    ]
    return (
        f"WITH job AS MATERIALIZED (SELECT {TOLD} FROM executions_execution WHERE id BETWEEN %s AND %s) "
        f"INSERT INTO executions_event ({EVENT_COLUMNS}) {' UNION ALL '.join(parts)} ORDER BY occurred, what DESC"
    )


@contextmanager
def _bare_sqlite() -> Iterator[None]:
    back = []
    connection.disable_constraint_checking()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA cache_size=-200000")
        cursor.execute("PRAGMA mmap_size=2147418112")
        cursor.execute("PRAGMA synchronous=OFF")
        # The rows are made to pass. Looking through all kinds for each of four million events takes half the time.
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
                back.append(sql)
            elif name not in searching:
                continue  # what guards the rows stays
            cursor.execute(f'DROP {kind} "{name}"')
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            # Sorted in pieces that fit a processor's cache, two at a time: a quarter sooner than all at once.
            cursor.execute("PRAGMA cache_size=-32000")
            cursor.execute("PRAGMA threads=2")
            for statement in back:
                cursor.execute(statement)
            # A sample is enough to choose between indexes; else every one is read to its end.
            cursor.execute("PRAGMA analysis_limit=1000")
            cursor.execute("ANALYZE")
            # All events wait to be sealed now, and hardly any soon: who believed that it stays so would look for them
            # in all of the record.
            cursor.execute("DELETE FROM sqlite_stat1 WHERE idx = 'event_to_seal'")
            cursor.execute("ANALYZE sqlite_master")
            for each in SEARCHED:
                if each.table in TABLES:
                    search_index.create(connection, each)
            cursor.execute("PRAGMA ignore_check_constraints=OFF")
            cursor.execute("PRAGMA synchronous=NORMAL")
        connection.enable_constraint_checking()


@contextmanager
def _bare_postgresql() -> Iterator[None]:
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
        _side_by_side(_in_turn([(table, definition) for table, _, definition in indexes], checks))


def _in_turn(indexes: Sequence[tuple[str, str]], checks: Sequence[tuple[str, str]]) -> list[str]:
    """The longest work first, so that two that share it end together. A table is looked through while indexes of the
    other are made; that also notes which pages everybody sees as they are: an index alone answers then.
    """
    jobs, events = TABLES
    search = [each for _, each in indexes if "USING gin" in each]
    of_jobs = [each for table, each in indexes if table == jobs and each not in search]
    of_events = sorted(
        (each for table, each in indexes if table == events), key=lambda each: -each.count(",")
    )
    looks = {
        table: [f"VACUUM ANALYZE {table}", *(each for on, each in checks if on == table)] for table in TABLES
    }
    return [*search, *of_events, *of_jobs[:LATER], *looks[events], *of_jobs[LATER:], *looks[jobs]]


def _side_by_side(statements: Sequence[str]) -> None:
    """Some at a time, each over a connection of its own."""
    with ThreadPoolExecutor(AT_A_TIME, "indexes") as builders:
        for done in [builders.submit(_build, each) for each in statements]:
            done.result()


def _build(statement: str) -> None:
    try:
        with connection.cursor() as cursor:
            # Sorted in pieces that fit a processor's cache: a sixth sooner than all at once.
            cursor.execute("SET maintenance_work_mem = '16MB'")
            cursor.execute("SET max_parallel_maintenance_workers = 0")
            cursor.execute(statement)
    finally:
        connection.close()
