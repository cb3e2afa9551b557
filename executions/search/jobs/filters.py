"""What the history is narrowed to. All that is asked for has to hold."""

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
from executions.search.text.matching import Found, Holds, seen
from executions.statuses import FAILED

# As a code: has failed without one.
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
class Choice:
    """Values of which a job must have one, and values that it must not have. Empty: anything."""

    only: tuple[Any, ...] = ()
    without: tuple[Any, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.only or self.without)


@dataclass(frozen=True, kw_only=True)
class Filters:
    """`since` is included, `until` is not; `at_least` and `less_than` are seconds that a job took."""

    tool: Choice = field(default_factory=Choice)
    status: Choice = field(default_factory=Choice)
    person: Choice = field(default_factory=Choice)
    batch: Choice = field(default_factory=Choice)
    error: Choice = field(default_factory=Choice)
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
    def wanted(self) -> tuple[Term, ...]:
        return tuple(term for term in self.terms if not term.is_excluded)

    def choice(self, name: str) -> Choice:
        found: Choice = getattr(self, name)
        return found

    @property
    def is_by_duration(self) -> bool:
        return self.at_least is not None or self.less_than is not None

    def conditions(self, *, by: str = "", found: Found | None = None) -> list[Any]:
        """Everything that has to hold. `by` names the one filter whose index is to be used: on SQLite the others
        are written so that they use none. `found` answers the words by their index instead of row by row.
        """
        made: list[Any] = []
        for name, column in COLUMNS.items():
            choice = self.choice(name)
            # The tool's index goes on with the duration.
            is_of_index = name == by or (by == "duration" and name == "tool")
            of: Any = F(column) if is_of_index else Plain(column)
            if choice.only:
                made.append(_has_one(of, choice.only))
            if choice.without:
                made.append(_has_none(of, choice.without))
        if self.origin == Execution.Origin.EXTERNAL:
            made.append(Holds(Elsewhere()) if by == "origin" else Q(origin=self.origin))
        elif self.origin:
            made.append(In(Plain("origin"), [self.origin]))
        # Ids begin with the time of the start.
        if self.since is not None:
            made.append(Q(id__gte=ids.first_at(self.since)))
        if self.until is not None:
            made.append(Q(id__lt=ids.first_at(self.until)))
        took: Any = F("duration") if by == "duration" else Plain("duration")
        if self.at_least is not None:
            made.append(GreaterThanOrEqual(took, self.at_least))
        if self.less_than is not None:
            made.append(LessThan(took, self.less_than))
        if found is not None:
            made.append(Holds(found))
        terms = [term for term in self.terms if term.is_excluded or found is None]
        if terms:
            made.append(seen("prompt", terms))
        return made

    def narrowed(self) -> Filters:
        """The same, with what follows from it said as well, so that an index can answer it."""
        if self.error.only == (NO_CODE,) and not self.status.only:
            return replace(self, status=replace(self.status, only=(FAILED,)))
        return self

    def only(self, *names: str) -> Filters:
        """These filters alone."""
        return Filters(**{name: getattr(self, name) for name in names})

    def without_words(self) -> Filters:
        return replace(self, words="")


def _has_one(of: Any, values: Collection[Any]) -> Any:
    named = [value for value in values if value != NO_CODE]
    return In(of, named) if len(named) == len(values) else Q(In(of, named)) | FAILED_WITHOUT_A_CODE


def _has_none(of: Any, values: Collection[Any]) -> Q:
    """What has no value at all has none of these either."""
    named = [value for value in values if value != NO_CODE]
    found = Q(IsNull(of, True)) | ~Q(In(of, named))
    return found if len(named) == len(values) else found & ~FAILED_WITHOUT_A_CODE


class Plain(Func):
    """A column, read from the row: no index is used for it on SQLite, whose planner guesses badly between several."""

    template = "%(expressions)s"
    arity = 1

    def as_sqlite(self, compiler: Any, connection: BaseDatabaseWrapper, **more: Any) -> Any:
        return super().as_sql(compiler, connection, template="+%(expressions)s", **more)


class Elsewhere(Func):
    """Started elsewhere, in the very words of the index that holds these alone."""

    conditional = True
    template = f"(%(expressions)s = '{Execution.Origin.EXTERNAL}')"

    def __init__(self) -> None:
        super().__init__(F("origin"), output_field=BooleanField())


FAILED_WITHOUT_A_CODE = Q(IsNull(Plain("error_code"), True), In(Plain("status"), [FAILED]))


def values(choice: Choice, most: int) -> Collection[Any]:
    """The values of which a job must have one, if they are few enough to be looked up one by one."""
    return choice.only if len(choice.only) <= most and NO_CODE not in choice.only else ()
