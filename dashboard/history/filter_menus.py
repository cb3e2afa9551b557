"""The menus of the History's filter form, and the summary of what is selected in each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.contrib.auth import get_user_model

from dashboard.history.query import WHEN, HistoryQuery
from dashboard.http.params import as_uuid
from executions import statuses, tools
from executions.models import Batch, Execution
from executions.search.jobs import NO_CODE

MAX_OPTIONS = 200
MAX_BATCHES = 30


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
    anything: str = "any"

    @property
    def summary(self) -> str:
        only = [each.label for each in self.options if each.is_only]
        without = [each.label for each in self.options if each.is_without]
        parts = [_few(only)] if only else []
        return ", ".join([*parts, f"not {_few(without)}"] if without else parts) or self.anything

    @property
    def is_set(self) -> bool:
        return any(each.is_only or each.is_without for each in self.options)


def menus(asked: HistoryQuery) -> list[Menu]:
    return [
        _menu(asked, "status", "Status", _statuses(asked)),
        _menu(asked, "tool", "Tool", _tools(asked)),
        _menu(asked, "person", "Person", _people(), "anyone"),
        _menu(
            asked,
            "error",
            "Error",
            [(NO_CODE, "no code", "", ""), *((code, code, "", "") for code in _codes(asked))],
        ),
        _menu(asked, "batch", "Batch", _batches(asked)),
    ]


def _menu(
    asked: HistoryQuery, name: str, label: str, offered: Iterable[Sequence[str]], anything: str = "any"
) -> Menu:
    chosen = set(asked.values(name))
    options = tuple(
        Option(value, text, icon, hue, value in chosen, f"-{value}" in chosen)
        for value, text, icon, hue in offered
    )
    return Menu(name, label, options, anything)


def _few(labels: list[str]) -> str:
    return ", ".join(labels[:2]) + (f" and {len(labels) - 2} more" if len(labels) > 2 else "")


def _chosen(asked: HistoryQuery, name: str) -> list[str]:
    return [value.removeprefix("-") for value in asked.values(name)]


def _statuses(asked: HistoryQuery) -> list[tuple[str, str, str, str]]:
    known = dict.fromkeys([*statuses.ALL, *_chosen(asked, "status")])
    return [
        (each, statuses.badge(each).label, statuses.badge(each).icon, statuses.badge(each).hue)
        for each in known
    ]


def _tools(asked: HistoryQuery) -> list[tuple[str, str, str, str]]:
    known = dict.fromkeys([*tools.TOOLS, *_chosen(asked, "tool")])
    return [(slug, tools.find(slug).label, tools.find(slug).icon, "") for slug in known]


def _people() -> list[tuple[str, str, str, str]]:
    people = get_user_model().objects.order_by("username").values_list("pk", "username")[:MAX_OPTIONS]
    return [(str(pk), name, "", "") for pk, name in people]


def _batches(asked: HistoryQuery) -> list[tuple[str, str, str, str]]:
    """The selected batches, then the newest."""
    rows = Batch.objects.only("pk", "name")
    chosen = list(rows.filter(pk__in=filter(None, map(as_uuid, _chosen(asked, "batch")))))
    newest = [batch for batch in rows.order_by("-id")[:MAX_BATCHES] if batch not in chosen]
    return [(str(batch.pk), batch.name, "", "") for batch in [*chosen, *newest]]


def _codes(asked: HistoryQuery) -> list[str]:
    return [
        code
        for code in dict.fromkeys([*_chosen(asked, "error"), *Execution.objects.error_codes(MAX_OPTIONS)])
        if code != NO_CODE
    ]


@dataclass(frozen=True)
class Spans:
    """The remaining filters: start time, duration and source."""

    asked: HistoryQuery

    @property
    def presets(self) -> list[tuple[str, str, bool]]:
        return [(value, words, self.asked.value("when") == value) for value, (words, _) in WHEN.items()]

    @property
    def when(self) -> str:
        preset, first, last = (self.asked.value(name) for name in ("when", "from", "to"))
        if preset:
            return WHEN[preset][0]
        if first and last:
            return first if first == last else f"{first} to {last}"
        return f"from {first}" if first else f"until {last}" if last else ""

    @property
    def took(self) -> str:
        least, most = self.asked.value("min"), self.asked.value("max")
        if least and most:
            return f"{least} to {most} s"
        return f"{least} s or more" if least else f"under {most} s" if most else ""

    @property
    def origins(self) -> list[tuple[str, str, bool]]:
        found = self.asked.value("origin")
        return [
            (value, label, value == found)
            for value, label in (("", "any"), ("here", "Rushes"), ("elsewhere", "external"))
        ]

    @property
    def origin(self) -> str:
        return next((label for value, label, is_set in self.origins if value and is_set), "")

    def value(self, name: str) -> str:
        return self.asked.value(name)

    @property
    def first(self) -> str:
        return self.asked.value("from")

    @property
    def last(self) -> str:
        return self.asked.value("to")

    @property
    def least(self) -> str:
        return self.asked.value("min")

    @property
    def most(self) -> str:
        return self.asked.value("max")
