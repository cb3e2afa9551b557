"""The filters of the history, and the query conditions for them. A job has to pass all of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, F, Func, Q
from django.db.models.lookups import GreaterThanOrEqual, In, IsNull, LessThan

from executions.core import ids
from executions.models import Execution
from executions.search.text import Term, parse
from executions.search.text.matching import IndexMatch, RawCondition, all_in_text
from executions.statuses import FAILED

# Value of the error filter for jobs that failed without an error code.
NO_CODE = "none"

# Filters by a column's value.
COLUMNS = {
    "tool": "tool",
    "status": "status",
    "person": "created_by_id",
    "batch": "batch_id",
    "error": "error_code",
}


@dataclass(frozen=True)
class FilterChoice:
    """Values of which a job must have one (`only`), and values that it must not have (`without`). Empty: any."""

    only: tuple[Any, ...] = ()
    without: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.only or self.without)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """`since` is inclusive, `until` exclusive. `at_least` and `less_than` bound a job's duration in seconds."""

    tool: FilterChoice = field(default_factory=FilterChoice)
    status: FilterChoice = field(default_factory=FilterChoice)
    person: FilterChoice = field(default_factory=FilterChoice)
    batch: FilterChoice = field(default_factory=FilterChoice)
    error: FilterChoice = field(default_factory=FilterChoice)
    origin: str = ""
    since: datetime | None = None
    until: datetime | None = None
    at_least: float | None = None
    less_than: float | None = None
    words: str = ""

    @property
    def terms(self) -> tuple[Term, ...]:
        return parse(self.words)

    @property
    def included_terms(self) -> tuple[Term, ...]:
        return tuple(term for term in self.terms if not term.is_excluded)

    def choice(self, name: str) -> FilterChoice:
        found: FilterChoice = getattr(self, name)
        return found

    @property
    def is_by_duration(self) -> bool:
        return self.at_least is not None or self.less_than is not None

    def conditions(self, *, by: str = "", index_match: IndexMatch | None = None) -> list[Any]:
        """The conditions of all filters.

        `by` names the filter whose index is to be used; on SQLite the other conditions are written so that they use
        no index. `index_match` answers the included words by the search index instead of row by row.
        """
        conditions: list[Any] = []
        for name, column in COLUMNS.items():
            choice = self.choice(name)
            # The duration's index begins with the tool.
            is_indexed = name == by or (by == "duration" and name == "tool")
            expression: Any = F(column) if is_indexed else Unindexed(column)
            if choice.only:
                conditions.append(_is_one_of(expression, choice.only))
            if choice.without:
                conditions.append(_is_none_of(expression, choice.without))
        if self.origin == Execution.Origin.EXTERNAL:
            conditions.append(RawCondition(IsExternal()) if by == "origin" else Q(origin=self.origin))
        elif self.origin:
            conditions.append(In(Unindexed("origin"), [self.origin]))
        # Ids begin with the time of creation.
        if self.since is not None:
            conditions.append(Q(id__gte=ids.first_at(self.since)))
        if self.until is not None:
            conditions.append(Q(id__lt=ids.first_at(self.until)))
        duration: Any = F("duration") if by == "duration" else Unindexed("duration")
        if self.at_least is not None:
            conditions.append(GreaterThanOrEqual(duration, self.at_least))
        if self.less_than is not None:
            conditions.append(LessThan(duration, self.less_than))
        if index_match is not None:
            conditions.append(RawCondition(index_match))
        terms = [term for term in self.terms if term.is_excluded or index_match is None]
        if terms:
            conditions.append(all_in_text("prompt", terms))
        return conditions

    def with_implied(self) -> Filters:
        """Equivalent filters that state what follows from others, so that an index can be used."""
        if self.error.only == (NO_CODE,) and not self.status.only:
            return replace(self, status=replace(self.status, only=(FAILED,)))
        return self

    def subset(self, *names: str) -> Filters:
        """Only the named filters."""
        return Filters(**{name: getattr(self, name) for name in names})

    def without_words(self) -> Filters:
        return replace(self, words="")


def _is_one_of(expression: Any, values: Collection[Any]) -> Any:
    codes = [value for value in values if value != NO_CODE]
    condition = In(expression, codes)
    return condition if len(codes) == len(values) else Q(condition) | FAILED_WITHOUT_A_CODE


def _is_none_of(expression: Any, values: Collection[Any]) -> Q:
    """A row without a value passes."""
    codes = [value for value in values if value != NO_CODE]
    condition = Q(IsNull(expression, True)) | ~Q(In(expression, codes))
    return condition if len(codes) == len(values) else condition & ~FAILED_WITHOUT_A_CODE


class Unindexed(Func):
    """A column for which SQLite uses no index. Its planner chooses badly between several."""

    template = "%(expressions)s"
    arity = 1

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        return super().as_sql(compiler, connection, template="+%(expressions)s", **more)


class IsExternal(Func):
    """Started outside Rushes, written exactly as the condition of the partial index for it."""

    conditional = True
    template = f"(%(expressions)s = '{Execution.Origin.EXTERNAL}')"

    def __init__(self) -> None:
        super().__init__(F("origin"), output_field=BooleanField())


FAILED_WITHOUT_A_CODE = Q(IsNull(Unindexed("error_code"), True), In(Unindexed("status"), [FAILED]))


def lookup_values(choice: FilterChoice, limit: int) -> Collection[Any]:
    """The values of `choice.only` if there are at most `limit`, so that each can be looked up separately; else none."""
    return choice.only if len(choice.only) <= limit and NO_CODE not in choice.only else ()
