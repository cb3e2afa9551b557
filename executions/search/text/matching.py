"""Query conditions for search terms: one that uses the search index, and one that tests the text of each row."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, Model, Q, QuerySet
from django.db.models.lookups import Lookup

from executions.core import ids
from executions.search.text.columns import search_column, vector
from executions.search.text.terms import Term, TermKind, parse

type SQL = tuple[str, list[Any]]


def matching[M: Model](rows: QuerySet[M], column: str, typed: str) -> QuerySet[M]:
    """The rows whose `column` matches the typed search, found by the search index. All rows if it has no terms.

    For tests. The product's searches combine the conditions below themselves.
    """
    terms = parse(typed)
    if included := tuple(term for term in terms if not term.is_excluded):
        rows = rows.filter(RawCondition(IndexMatch(column, included)))
    return rows.filter(*(RawCondition(TextMatch(column, term)) for term in terms if term.is_excluded))


class RawCondition(Lookup):
    """A condition without a comparison. Django would compare it with True, and SQLite would then use no index."""

    lookup_name = "raw_condition"
    prepare_rhs = False

    def __init__(self, condition: Func) -> None:
        super().__init__(condition, True)

    def as_sql(self, compiler: Any, connection: BaseDatabaseWrapper) -> Any:
        return self.process_lhs(compiler, connection)


class IndexMatch(Func):
    """Whether the search index finds all `terms`, none of them excluded. For rare words, in any order of rows.

    `limit` bounds the rows read from the index on SQLite, so that counting them is cheap.
    """

    conditional = True

    def __init__(self, column: str, terms: Sequence[Term], limit: int | None = None) -> None:
        self.terms = tuple(terms)
        self.limit = limit
        super().__init__(F(column), output_field=BooleanField())

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:  # type: ignore[override]  # as compilers call it
        [col] = self.get_source_expressions()
        index = search_column(col.target.model._meta.db_table, col.target.column)
        parts, params = [], []
        for name, terms in (
            (index.parts, [term for term in self.terms if term.kind is TermKind.PART]),
            (index.words, [term for term in self.terms if term.kind is not TermKind.PART]),
        ):
            if terms:
                parts.append(f'SELECT rowid FROM "{name}" WHERE "{name}" MATCH %s')
                params.append(" AND ".join(_fts5(term) for term in terms))
        bound = f" LIMIT {self.limit}" if self.limit is not None else ""
        alias = compiler.quote_name(col.alias)
        return f"{alias}.rowid IN ({' INTERSECT '.join(parts)}{bound})", params

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:
        [col] = self.get_source_expressions()
        return _postgresql(compiler.compile(col)[0], self.terms)


class TextMatch(Func):
    """Whether the text contains the term (or does not, if it is excluded). For scanning rows in their order."""

    conditional = True

    def __init__(self, column: str, term: Term) -> None:
        self.term = term
        super().__init__(F(column), output_field=BooleanField())

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:  # type: ignore[override]  # as compilers call it
        return _text_match_sqlite(self._text(compiler), self.term)

    def as_postgresql(self, compiler: Any, connection: BaseDatabaseWrapper, **_: Any) -> SQL:
        return _text_match_postgresql(self._text(compiler), self.term)

    def _text(self, compiler: Any) -> str:
        [col] = self.get_source_expressions()
        text: str = compiler.compile(col)[0]
        return text


def all_in_text(column: str, terms: Iterable[Term]) -> Q:
    """Whether a row's text matches all terms, tested row by row."""
    return Q(*(RawCondition(TextMatch(column, term)) for term in terms))


def first_matches(
    rows: tuple[str, Sequence[Any]],
    column: str,
    terms: Iterable[Term],
    order: str,
    limit: int,
    db: BaseDatabaseWrapper,
) -> list[uuid.UUID]:
    """The ids of the first `rows` whose text matches all terms.

    `rows` is a statement that selects `id`, the text column and the columns of `order`. It is filtered as a subquery,
    not joined with its table: a database that expects the terms to be common would scan the whole table for them.
    """
    sql, params = rows
    text_match = _text_match_postgresql if db.vendor == "postgresql" else _text_match_sqlite
    tests = [text_match(f'"{column}"', term) for term in terms]
    where = " AND ".join(test for test, _ in tests)
    with db.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM ({sql}) AS near WHERE {where} ORDER BY {order} LIMIT {int(limit)}",
            [*params, *(value for _, values in tests for value in values)],
        )
        return ids.from_rows(cursor.fetchall())


def _text_match_sqlite(text: str, term: Term) -> SQL:
    negation = "NOT " if term.is_excluded else ""
    # SQLite's LIKE is faster, but ignores case only in ASCII.
    if term.kind is TermKind.PART and term.text.isascii():
        return f"{text} {negation}LIKE %s ESCAPE '\\'", [_like(term.text)]
    return f"{text} {negation}REGEXP %s", [f"(?i){term.pattern}"]


def _text_match_postgresql(text: str, term: Term) -> SQL:
    # An expression instead of the column, so that PostgreSQL does not use the index here.
    text = f"({text} || '')"
    sql, params = _postgresql(text, [term])
    if term.kind is not TermKind.PART and term.text.isascii():
        # Pre-filter with ILIKE: rows lacking the letters cannot match, and it is ten times cheaper.
        words = term.text.split(" ")
        letters = " AND ".join([f"{text} ILIKE %s"] * len(words))
        sql, params = f"{letters} AND {sql}", [*map(_like, words), *params]
    # For a CASE, the planner assumes that half of the rows match, and scans in order. Otherwise it would expect nearly
    # none, and rather read and sort the whole table.
    return f"CASE WHEN {sql} THEN {not term.is_excluded} ELSE {term.is_excluded} END", params


def _fts5(term: Term) -> str:
    text = term.text.replace('"', '""')
    return f'"{text}"*' if term.kind is TermKind.START else f'"{text}"'


def _like(text: str) -> str:
    for special in ("\\", "%", "_"):
        text = text.replace(special, f"\\{special}")
    return f"%{text}%"


def _postgresql(text: str, terms: Iterable[Term]) -> SQL:
    parts, params = [], []
    for term in terms:
        match term.kind:
            case TermKind.PART:
                parts.append(f"{text} ILIKE %s")
                params.append(_like(term.text))
            case TermKind.START:
                parts.append(f"{vector(text)} @@ to_tsquery('simple', %s)")
                params.append(f"'{term.text}':*")
            case TermKind.WORDS:
                parts.append(f"{vector(text)} @@ phraseto_tsquery('simple', %s)")
                params.append(term.text)
    return "(" + " AND ".join(parts) + ")", params
