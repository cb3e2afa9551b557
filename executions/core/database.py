"""SQL that Django's ORM cannot express, for any table: a ping, ANALYZE, row estimates, the ids of a union."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Model, QuerySet


def ping() -> None:
    """Raise DatabaseError if the database cannot be reached."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def analyze(model: type[Model]) -> None:
    """Refresh the statistics that the query planner uses."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {model._meta.db_table}")


def estimated_rows(model: type[Model]) -> int:
    """The approximate number of rows, without counting.

    PostgreSQL: from its statistics (-1 before the first ANALYZE). SQLite: the highest rowid.
    """
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        else:
            cursor.execute(f"SELECT max(rowid) FROM {table}")
        return int((cursor.fetchone() or [0])[0] or 0)


def ids_of_any(queries: Iterable[QuerySet[Any]], order: str) -> list[int]:
    """The ids found by any of these sorted and limited queries, in order, with one statement."""
    parts: list[str] = []
    values: list[Any] = []
    for number, each in enumerate(queries):
        try:
            sql, parameters = each.query.sql_with_params()
        except EmptyResultSet:
            continue
        parts.append(f"SELECT * FROM ({sql}) AS kind_{number}")
        values += parameters
    if not parts:
        return []
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), values)
        return sorted({pk for (pk,) in cursor.fetchall()}, reverse=order.startswith("-"))
