"""Conditions on a queryset: that terms are found in a column. Two ways to ask the same, for two ways to read a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, Model, Q, QuerySet
from django.db.models.lookups import Lookup

from executions.searching.columns import searched, vector
from executions.searching.terms import Kind, Term, parse

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

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:  # type: ignore[override]
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
        return _postgresql(self, compiler, self.terms)


class Seen(Func):
    """The term is in the text itself (or is not, if it is excluded). For walking through rows in their order."""

    conditional = True

    def __init__(self, column: str, term: Term) -> None:
        self.term = term
        super().__init__(F(column), output_field=BooleanField())

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:  # type: ignore[override]
        [col] = self.get_source_expressions()
        text, params = compiler.compile(col)
        no = "NOT " if self.term.is_excluded else ""
        # SQLite's LIKE is the faster one, but knows of upper and lower case in ASCII alone.
        if self.term.kind is Kind.PART and self.term.text.isascii():
            return f"{text} {no}LIKE %s ESCAPE '\\'", [*params, _like(self.term.text)]
        return f"{text} {no}REGEXP %s", [*params, f"(?i){self.term.pattern}"]

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:
        # Not the column itself but what it holds: PostgreSQL must not take the index for it here.
        sql, params = _postgresql(self, compiler, [self.term], "({} || '')")
        # In this shape it takes half of the rows for found, and walks on. It would take it for nearly none, and rather
        # read and sort the whole table than walk so far.
        return (
            f"CASE WHEN {sql} THEN {self.term.is_excluded is False} ELSE {self.term.is_excluded} END",
            params,
        )


def seen(column: str, terms: Iterable[Term]) -> Q:
    """All of the terms are as they are wanted to be, row by row."""
    return Q(*(Holds(Seen(column, term)) for term in terms))


def _fts5(term: Term) -> str:
    text = term.text.replace('"', '""')
    return f'"{text}"*' if term.kind is Kind.START else f'"{text}"'


def _like(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def _postgresql(expression: Func, compiler: Any, terms: Iterable[Term], shape: str = "{}") -> SQL:
    [col] = expression.get_source_expressions()
    text, text_params = compiler.compile(col)
    text = shape.format(text)
    parts, params = [], []
    for term in terms:
        params += text_params
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
