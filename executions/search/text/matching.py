"""Conditions on a queryset: that terms are found in a column. Two ways to ask the same, for two ways to read a table."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, Model, Q, QuerySet
from django.db.models.lookups import Lookup

from executions.core import ids
from executions.search.text.columns import searched, vector
from executions.search.text.terms import Kind, Term, parse

type SQL = tuple[str, list[Any]]


def matching[M: Model](rows: QuerySet[M], column: str, typed: str) -> QuerySet[M]:
    """The rows in whose `column` all that was typed is found, by its search index. Unchanged when nothing was typed."""
    terms = parse(typed)
    if wanted := tuple(term for term in terms if not term.is_excluded):
        rows = rows.filter(Holds(Found(column, wanted)))
    return rows.filter(*(Holds(Seen(column, term)) for term in terms if term.is_excluded))


class Holds(Lookup):
    """A condition as it stands. Django would compare it with True, and then SQLite uses no index for it."""

    lookup_name = "holds"
    prepare_rhs = False

    def __init__(self, condition: Func) -> None:
        super().__init__(condition, True)

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        return self.process_lhs(compiler, connection)


class Found(Func):
    """All of `terms` (none of them excluded) are found, answered by the index. For rare words, in any order of rows.

    `most` bounds how many rows of the index are taken on SQLite: how many there are can then be counted cheaply.
    """

    conditional = True

    def __init__(self, column: str, terms: Sequence[Term], most: int | None = None) -> None:
        self.terms = tuple(terms)
        self.most = most
        super().__init__(F(column), output_field=BooleanField())

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:  # type: ignore[override]  # as compilers call it
        [col] = self.get_source_expressions()
        index = searched(col.target.model._meta.db_table, col.target.column)
        parts, params = [], []
        for name, terms in (
            (index.parts, [term for term in self.terms if term.kind is Kind.PART]),
            (index.words, [term for term in self.terms if term.kind is not Kind.PART]),
        ):
            if terms:
                parts.append(f'SELECT rowid FROM "{name}" WHERE "{name}" MATCH %s')
                params.append(" AND ".join(_fts5(term) for term in terms))
        bound = f" LIMIT {self.most}" if self.most is not None else ""
        alias = compiler.quote_name(col.alias)
        return f"{alias}.rowid IN ({' INTERSECT '.join(parts)}{bound})", params

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:
        [col] = self.get_source_expressions()
        return _postgresql(compiler.compile(col)[0], self.terms)


class Seen(Func):
    """The term is in the text itself (or is not, if it is excluded). For walking through rows in their order."""

    conditional = True

    def __init__(self, column: str, term: Term) -> None:
        self.term = term
        super().__init__(F(column), output_field=BooleanField())

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:  # type: ignore[override]  # as compilers call it
        return _seen_sqlite(self._text(compiler), self.term)

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:
        return _seen_postgresql(self._text(compiler), self.term)

    def _text(self, compiler: Any) -> str:
        [col] = self.get_source_expressions()
        text: str = compiler.compile(col)[0]
        return text


def seen(column: str, terms: Iterable[Term]) -> Q:
    """All of the terms are as they are wanted to be, row by row."""
    return Q(*(Holds(Seen(column, term)) for term in terms))


def first_seen(
    rows: tuple[str, Sequence[Any]],
    column: str,
    terms: Iterable[Term],
    order: str,
    limit: int,
    db: BaseDatabaseWrapper,
) -> list[uuid.UUID]:
    """The first ids of these rows (a statement that gives `id`, the text and what `order` names) that are as wanted.

    The rows are read as they come, and never by a join with their table: a database that takes the terms for common
    ones would walk through all of the table to find the few rows in it.
    """
    sql, params = rows
    see = _seen_postgresql if db.vendor == "postgresql" else _seen_sqlite
    tests = [see(f'"{column}"', term) for term in terms]
    where = " AND ".join(test for test, _ in tests)
    with db.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({sql}) AS near WHERE {where} ORDER BY {order} LIMIT {int(limit)}",
            [*params, *(value for _, values in tests for value in values)],
        )
        return ids.from_rows(cursor.fetchall())


def _seen_sqlite(text: str, term: Term) -> SQL:
    no = "NOT " if term.is_excluded else ""
    # SQLite's LIKE is the faster one, but knows of upper and lower case in ASCII alone.
    if term.kind is Kind.PART and term.text.isascii():
        return f"{text} {no}LIKE %s ESCAPE '\\'", [_like(term.text)]
    return f"{text} {no}REGEXP %s", [f"(?i){term.pattern}"]


def _seen_postgresql(text: str, term: Term) -> SQL:
    # Not the column itself but what it holds: PostgreSQL must not take the index for it here.
    text = f"({text} || '')"
    sql, params = _postgresql(text, [term])
    if term.kind is not Kind.PART and term.text.isascii():
        # What has not all of the letters has not the words either, and is told apart in a tenth of the time.
        words = term.text.split(" ")
        letters = " AND ".join([f"{text} ILIKE %s"] * len(words))
        sql, params = f"{letters} AND {sql}", [*map(_like, words), *params]
    # In this shape it takes half of the rows for found, and walks on. It would take it for nearly none, and rather
    # read and sort the whole table than walk so far.
    return f"CASE WHEN {sql} THEN {not term.is_excluded} ELSE {term.is_excluded} END", params


def _fts5(term: Term) -> str:
    text = term.text.replace('"', '""')
    return f'"{text}"*' if term.kind is Kind.START else f'"{text}"'


def _like(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def _postgresql(text: str, terms: Iterable[Term]) -> SQL:
    parts, params = [], []
    for term in terms:
        match term.kind:
            case Kind.PART:
                parts.append(f"{text} ILIKE %s")
                params.append(_like(term.text))
            case Kind.START:
                parts.append(f"{vector(text)} @@ to_tsquery('simple', %s)")
                params.append(f"'{term.text}':*")
            case Kind.WORDS:
                parts.append(f"{vector(text)} @@ phraseto_tsquery('simple', %s)")
                params.append(term.text)
    return "(" + " AND ".join(parts) + ")", params
