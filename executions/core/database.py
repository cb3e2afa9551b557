"""SQL that Django's queries cannot express, for any table: a ping, statistics, estimates, ids of a union."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Model, QuerySet


def ping() -> None:
    """Raises DatabaseError when the database cannot be reached."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def analyze(model: type[Model]) -> None:
    """Let the database count again what its plans are made from."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {model._meta.db_table}")


def estimated_rows(model: type[Model]) -> int:
    """About how many rows there are, from what the database knows without counting."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        else:
            cursor.execute(f"SELECT max(rowid) FROM {table}")
        return int((cursor.fetchone() or [0])[0] or 0)


def ids_of_any(queries: Iterable[QuerySet[Any]], order: str) -> list[int]:
    """The ids that any of these sorted and limited queries finds, in order, by one statement."""
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
