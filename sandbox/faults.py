"""Faults that a test can inject: the kinds, their options, and which of them apply to a call."""

from __future__ import annotations

import asyncio
import fnmatch
import itertools
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import invalid_parameters

Json = dict[str, Any]


@dataclass(frozen=True)
class Option:
    """One option of a fault. ``accepts`` validates a value, ``expected`` describes the valid ones in messages."""

    accepts: Callable[[Any], bool]
    expected: str
    default: Any = None


def _number(default: float | None, minimum: float = 0, maximum: float = 1e9) -> Option:
    def accepts(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and minimum <= value <= maximum

    return Option(accepts, f"a number from {minimum:g} to {maximum:g}", default)


def _integer(default: int | None, minimum: int = 0, maximum: int = 1_000_000_000) -> Option:
    def accepts(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum

    return Option(accepts, f"an integer from {minimum} to {maximum}", default)


def _one_of(*values: str) -> Option:
    return Option(lambda value: value in values, "one of " + ", ".join(values), values[0])


def _text(default: str | None = None) -> Option:
    return Option(lambda value: isinstance(value, str), "a string", default)


def _flag(default: bool) -> Option:
    return Option(lambda value: isinstance(value, bool), "true or false", default)


def _any() -> Option:
    return Option(lambda value: True, "anything")


def _object() -> Option:
    return Option(lambda value: isinstance(value, dict), "an object")


_ACCEPTED = _flag(False)

REQUEST_KINDS: dict[str, dict[str, Option]] = {
    "lost_before": {},
    "lost_after": {},
    "slow": {"seconds": _number(1.0)},
    "rate_limited": {
        "hint": _one_of("retry_after", "reset", "none"),
        "seconds": _number(2.0),
        "code": _text("rate_limited"),
    },
    "status": {
        "status": _integer(500, 200, 599),
        "body": _any(),
        "headers": _object(),
        "accepted": _ACCEPTED,
    },
    "malformed": {
        "shape": _one_of("html", "truncated", "no_id", "huge", "empty"),
        "bytes": _integer(20_000_000, 1, 200_000_000),
        "accepted": _flag(True),
    },
    "unauthorized": {"code": _text("invalid_api_key")},
    "forbidden": {"requirement": _text("upgrade_plan")},
    "not_found": {"younger_than": _number(None)},
    "unknown_status": {"value": _text("hibernating")},
    "unknown_fields": {"fields": _object()},
    "cut": {"bytes": _integer(65_536, 0)},
    "expired": {},
}
WEBHOOK_KINDS: dict[str, dict[str, Option]] = {
    "webhook_drop": {},
    "webhook_double": {"copies": _integer(2, 2, 100)},
    "webhook_delay": {"seconds": _number(1.0)},
    "webhook_reorder": {"size": _integer(2, 2, 1000), "seconds": _number(5.0)},
    "webhook_hold": {},
    "webhook_forge": {"how": _one_of("wrong_secret", "altered_body", "stale", "future", "unsigned")},
}
JOB_KINDS: dict[str, dict[str, Option]] = {
    "job": {
        "seconds": _number(None),
        "fail": _text(),
        "attempts": _integer(0, 0, 20),
        "status": _one_of("running", "awaiting_approval"),
        "ignore_cancel": _flag(False),
        "without_results": _flag(False),
        "hold": _flag(False),
    },
}
UPLOAD_KINDS: dict[str, dict[str, Option]] = {"upload": {"seconds": _number(None), "fail": _text()}}
ANALYSIS_KINDS: dict[str, dict[str, Option]] = {"analysis": {"seconds": _number(None), "fail": _text()}}
KINDS = REQUEST_KINDS | WEBHOOK_KINDS | JOB_KINDS | UPLOAD_KINDS | ANALYSIS_KINDS
_COMMON = {"kind", "match", "count", "probability"}


@dataclass
class Fault:
    """One fault. ``match`` is a pattern for "METHOD /path" or the name of an event, tool or file, depending on the kind."""

    number: int
    kind: str
    match: str
    count: int | None
    probability: float
    options: Json = field(default_factory=dict)
    """All options of the kind; those that were not given have their default."""
    given: frozenset[str] = frozenset()
    """The names of the options that were given."""
    triggered: int = 0
    """Number of times the fault was applied."""
    removed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the fault is no longer active."""

    def as_json(self) -> Json:
        return {
            "id": self.number,
            "kind": self.kind,
            "match": self.match,
            "count": self.count,
            "probability": self.probability,
            "triggered": self.triggered,
            **self.options,
        }


_numbers = itertools.count(1)


def parse_fault(data: Any) -> Fault:
    """Parse a fault; raise a 400 that names the invalid option."""
    if not isinstance(data, dict):
        raise invalid_parameters("each fault must be an object")
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise invalid_parameters(f"kind must be one of {', '.join(KINDS)}")
    options = KINDS[kind]
    unknown = set(data) - _COMMON - set(options)
    if unknown:
        raise invalid_parameters(f"{kind} has no option {', '.join(sorted(unknown))}")
    match = data.get("match", "*")
    if not isinstance(match, str) or not match:
        raise invalid_parameters("match must be a string such as 'POST /v1/tools/*'")
    count = data.get("count")
    if count is not None and not _integer(None, 1).accepts(count):
        raise invalid_parameters("count must be an integer of at least 1")
    probability = data.get("probability", 1.0)
    if not _number(None, 0, 1).accepts(probability):
        raise invalid_parameters("probability must be a number from 0 to 1")
    values = {}
    for name, option in options.items():
        value = data.get(name, option.default)
        if name in data and not option.accepts(value):
            raise invalid_parameters(f"{name} must be {option.expected}")
        values[name] = value
    given = frozenset(options) & set(data)
    return Fault(next(_numbers), kind, match, count, float(probability), values, given)


def given_options(faults: Iterable[Fault]) -> Json:
    """The options given in any of these faults; a later fault overrides an earlier one."""
    return {name: fault.options[name] for fault in faults for name in fault.given}


class Faults:
    """The active faults, oldest first."""

    def __init__(self) -> None:
        self.active: list[Fault] = []
        self.url_lifetime: float | None = None
        """Lifetime of new signed URLs in seconds; None for the value of the command line."""
        self.upload_lifetime: float | None = None
        """The same for upload URLs."""

    def clear(self) -> None:
        for fault in self.active:
            fault.removed.set()
        self.active = []
        self.url_lifetime = self.upload_lifetime = None

    def for_request(self, method: str, path: str) -> list[Fault]:
        return self._apply(REQUEST_KINDS, f"{method} {path}")

    def for_event(self, name: str) -> list[Fault]:
        return self._apply(WEBHOOK_KINDS, name)

    def for_job(self, tool: str) -> list[Fault]:
        return self._apply(JOB_KINDS, tool)

    def for_upload(self, display_name: str) -> list[Fault]:
        return self._apply(UPLOAD_KINDS, display_name)

    def for_analysis(self, display_name: str) -> list[Fault]:
        return self._apply(ANALYSIS_KINDS, display_name)

    def _apply(self, kinds: dict[str, dict[str, Option]], subject: str) -> list[Fault]:
        applied = []
        for fault in list(self.active):
            if fault.kind not in kinds or not fnmatch.fnmatchcase(subject, fault.match):
                continue
            if fault.probability < 1 and random.random() >= fault.probability:
                continue
            fault.triggered += 1
            applied.append(fault)
            if fault.count is not None:
                fault.count -= 1
                if fault.count == 0:
                    self.active.remove(fault)
                    fault.removed.set()
        return applied
