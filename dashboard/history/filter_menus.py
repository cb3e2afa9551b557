"""The menus of the History's filter form, and the summary of what is selected in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dashboard.history.query import WHEN, HistoryQuery
from dashboard.http.params import as_uuid
from executions import statuses, tools
from executions.models import Batch, Execution
from executions.search.jobs import NO_CODE
from executions.team import members

MAX_OPTIONS = 200
MAX_BATCHES = 30
# Longer menus have a search field.
MAX_WITHOUT_SEARCH = 9


@dataclass(frozen=True)
class Option:
    value: str
    label: str
    icon: str = ""
    hue: str = ""
    is_only: bool = False
    is_without: bool = False


@dataclass(frozen=True)
class Menu:
    """One filter; `summary` names its selected values."""

    name: str
    label: str
    options: tuple[Option, ...]
    default: str = "any"

    @property
    def summary(self) -> str:
        only = [each.label for each in self.options if each.is_only]
        without = [each.label for each in self.options if each.is_without]
        parts = [_shortened(only)] if only else []
        return ", ".join([*parts, f"not {_shortened(without)}"] if without else parts) or self.default

    @property
    def is_searchable(self) -> bool:
        return len(self.options) > MAX_WITHOUT_SEARCH

    @property
    def is_set(self) -> bool:
        return any(each.is_only or each.is_without for each in self.options)


def menus(query: HistoryQuery) -> list[Menu]:
    return [
        _menu(query, "status", "Status", _statuses(query)),
        _menu(query, "tool", "Tool", _tools(query)),
        _menu(query, "person", "Person", _people(), "anyone"),
        _menu(
            query,
            "error",
            "Error",
            [(NO_CODE, "no code", "", ""), *((code, code, "", "") for code in _codes(query))],
        ),
        _menu(query, "batch", "Batch", _batches(query)),
    ]


def _menu(
    query: HistoryQuery, name: str, label: str, offered: Iterable[Sequence[str]], default: str = "any"
) -> Menu:
    chosen = set(query.values(name))
    options = tuple(
        Option(value, text, icon, hue, value in chosen, f"-{value}" in chosen)
        for value, text, icon, hue in offered
    )
    return Menu(name, label, options, default)


def _shortened(labels: list[str]) -> str:
    return ", ".join(labels[:2]) + (f" and {len(labels) - 2} more" if len(labels) > 2 else "")


def _chosen(query: HistoryQuery, name: str) -> list[str]:
    return [value.removeprefix("-") for value in query.values(name)]


def _statuses(query: HistoryQuery) -> list[tuple[str, str, str, str]]:
    options = dict.fromkeys([*statuses.ALL, *_chosen(query, "status")])
    return [
        (each, statuses.badge(each).label, statuses.badge(each).icon, statuses.badge(each).hue)
        for each in options
    ]


def _tools(query: HistoryQuery) -> list[tuple[str, str, str, str]]:
    options = dict.fromkeys([*tools.TOOLS, *_chosen(query, "tool")])
    return [(slug, tools.find(slug).label, tools.find(slug).icon, "") for slug in options]


def _people() -> list[tuple[str, str, str, str]]:
    return [(str(pk), name, "", "") for pk, name in members.usernames(MAX_OPTIONS).items()]


def _batches(query: HistoryQuery) -> list[tuple[str, str, str, str]]:
    """The selected batches, then the newest."""
    rows = Batch.objects.only("pk", "name")
    ids = [pk for each in _chosen(query, "batch") if (pk := as_uuid(each))]
    chosen = list(rows.in_bulk(ids).values())
    newest = [batch for batch in rows.order_by("-id")[:MAX_BATCHES] if batch not in chosen]
    return [(str(batch.pk), batch.name, "", "") for batch in [*chosen, *newest]]


def _codes(query: HistoryQuery) -> list[str]:
    return [
        code
        for code in dict.fromkeys([*_chosen(query, "error"), *Execution.objects.error_codes(MAX_OPTIONS)])
        if code != NO_CODE
    ]


@dataclass(frozen=True)
class OtherFilters:
    """The remaining filters: start time, duration and source."""

    query: HistoryQuery

    @property
    def presets(self) -> list[tuple[str, str, bool]]:
        return [(value, words, self.query.value("when") == value) for value, (words, _) in WHEN.items()]

    @property
    def when(self) -> str:
        preset, first, last = (self.query.value(name) for name in ("when", "from", "to"))
        if preset:
            return WHEN[preset][0]
        if first and last:
            return first if first == last else f"{first} to {last}"
        return f"from {first}" if first else f"until {last}" if last else ""

    @property
    def duration(self) -> str:
        least, most = self.query.value("min"), self.query.value("max")
        if least and most:
            return f"{least} to {most} s"
        return f"{least} s or more" if least else f"under {most} s" if most else ""

    @property
    def origins(self) -> list[tuple[str, str, bool]]:
        found = self.query.value("origin")
        return [
            (value, label, value == found)
            for value, label in (("", "any"), ("here", "Rushes"), ("elsewhere", "external"))
        ]

    @property
    def origin(self) -> str:
        return next((label for value, label, is_set in self.origins if value and is_set), "")

    def value(self, name: str) -> str:
        return self.query.value(name)

    @property
    def first(self) -> str:
        return self.query.value("from")

    @property
    def last(self) -> str:
        return self.query.value("to")

    @property
    def min_seconds(self) -> str:
        return self.query.value("min")

    @property
    def max_seconds(self) -> str:
        return self.query.value("max")
