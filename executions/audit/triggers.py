"""Triggers by which the database itself refuses to change or delete events, on both engines.

They allow two operations: sealing an event, once, and deleting an event that a summary covers. The triggers are
dropped while migrations run, since SQLite rebuilds tables, and installed again afterwards.
"""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from executions.models import Event, Summary

EVENTS, SUMMARIES = Event._meta.db_table, Summary._meta.db_table
CHAIN = ("position", "previous_hash", "hash")


def append_only_message(table: str) -> str:
    return f"{table} is append-only"


def _sqlite() -> dict[str, str]:
    """The triggers by name. SQLite's OR REPLACE deletes rows without firing a trigger, so that is refused as well."""
    same = " AND ".join(
        f'NEW."{each.column}" IS OLD."{each.column}"'
        for each in Event._meta.local_fields
        if each.column not in CHAIN
    )
    taken = f'EXISTS (SELECT 1 FROM {EVENTS} WHERE "position" = NEW."position")'
    covered = f'EXISTS (SELECT 1 FROM {SUMMARIES} WHERE OLD."position" BETWEEN "first_position" AND "last_position")'
    once = f'OLD."position" IS NULL AND NEW."position" IS NOT NULL AND NOT {taken} AND {same}'
    conditions = {
        (EVENTS, "INSERT"): f'NEW."position" IS NOT NULL OR EXISTS (SELECT 1 FROM {EVENTS} WHERE "id" = NEW."id")',
        (EVENTS, "UPDATE"): f"NOT ({once})",
        (EVENTS, "DELETE"): f"NOT {covered}",
        (SUMMARIES, "INSERT"): f'EXISTS (SELECT 1 FROM {SUMMARIES} WHERE "id" = NEW."id" OR "first_position" = NEW."first_position" OR "last_position" = NEW."last_position")',
        (SUMMARIES, "UPDATE"): "1",
        (SUMMARIES, "DELETE"): "1",
    }  # fmt: skip
    return {
        _name(table, act): f"CREATE TRIGGER {_name(table, act)} BEFORE {act} ON {table} WHEN {condition} "
        f"BEGIN SELECT RAISE(ABORT, '{append_only_message(table)}'); END"
        for (table, act), condition in conditions.items()
    }


GUARD = f"{EVENTS}_guard"
REFUSE = "executions_refuse"
FUNCTIONS = {
    GUARD: f"""
DECLARE
  without_chain {EVENTS}%ROWTYPE;
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.position IS NULL AND NEW.position IS NOT NULL THEN
    without_chain := NEW;
    without_chain.position := OLD.position;
    without_chain.previous_hash := OLD.previous_hash;
    without_chain.hash := OLD.hash;
    IF without_chain IS NOT DISTINCT FROM OLD THEN
      RETURN NEW;
    END IF;
  ELSIF TG_OP = 'DELETE' THEN
    IF EXISTS (SELECT 1 FROM {SUMMARIES} WHERE OLD.position BETWEEN first_position AND last_position) THEN
      RETURN OLD;
    END IF;
  END IF;
  RAISE EXCEPTION '{append_only_message(EVENTS)}';
END
""",
    REFUSE: "BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END",
}


def _postgresql() -> dict[str, str]:
    def row(table: str, act: str, function: str, condition: str = "") -> str:
        return (
            f"CREATE TRIGGER {_name(table, act)} BEFORE {act} ON {table} FOR EACH ROW"
            f" {condition} EXECUTE FUNCTION {function}()"
        )

    return {
        _name(EVENTS, "INSERT"): row(EVENTS, "INSERT", REFUSE, "WHEN (NEW.position IS NOT NULL)"),
        _name(EVENTS, "UPDATE"): row(EVENTS, "UPDATE", GUARD),
        _name(EVENTS, "DELETE"): row(EVENTS, "DELETE", GUARD),
        _name(SUMMARIES, "UPDATE"): row(SUMMARIES, "UPDATE", REFUSE),
        _name(SUMMARIES, "DELETE"): row(SUMMARIES, "DELETE", REFUSE),
        **{
            _name(table, "TRUNCATE"): f"CREATE TRIGGER {_name(table, 'TRUNCATE')} BEFORE TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {REFUSE}()"
            for table in (EVENTS, SUMMARIES)
        },
    }


def _name(table: str, act: str) -> str:
    return f"{table}_no_{act.lower()}"


def required(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """The SQL of the required triggers, by name."""
    return _postgresql() if connection.vendor == "postgresql" else _sqlite()


def missing(connection: BaseDatabaseWrapper) -> list[str]:
    """Names of the required triggers that are absent, disabled or different; all if a PostgreSQL function differs."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')"
                " AND tgrelid IN (to_regclass(%s), to_regclass(%s))",
                [EVENTS, SUMMARIES],
            )
            present = {name for (name,) in cursor.fetchall()}
            cursor.execute("SELECT proname, prosrc FROM pg_proc WHERE proname = ANY(%s)", [list(FUNCTIONS)])
            if dict(cursor.fetchall()) != FUNCTIONS:
                present = set()
            return [name for name in required(connection) if name not in present]
        cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
        found = dict(cursor.fetchall())
    return [name for name, sql in required(connection).items() if found.get(name) != sql]


def install(connection: BaseDatabaseWrapper) -> None:
    """Install the triggers if any is missing. Does nothing until the tables match the current models."""
    if not _is_ready(connection) or not missing(connection):
        return
    drop(connection)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            for name, source in FUNCTIONS.items():
                cursor.execute(
                    f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $guard${source}$guard$"
                )
        for sql in required(connection).values():
            cursor.execute(sql)


def drop(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for name in required(connection):
            on = f" ON {name.rpartition('_no_')[0]}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def _is_ready(connection: BaseDatabaseWrapper) -> bool:
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        if EVENTS not in tables or SUMMARIES not in tables:
            return False
        present = {column.name for column in connection.introspection.get_table_description(cursor, EVENTS)}
    return present == {field.column for field in Event._meta.local_fields}


def before_migrations(*, using: str, plan: Any = (), **_: Any) -> None:
    if plan:
        drop(connections[using])


def after_migrations(*, using: str, **_: Any) -> None:
    install(connections[using])
