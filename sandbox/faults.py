"""Faults that a test can order: which kinds there are, what each may be told, and which one strikes now."""

from __future__ import annotations

import fnmatch
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import invalid_parameters

Json = dict[str, Any]


@dataclass(frozen=True)
class Option:
    """One parameter of a fault. ``accepts`` says whether a value fits, ``wanted`` says it in words."""

    accepts: Callable[[Any], bool]
    wanted: str
    default: Any = None


def _number(default: float | None, low: float = 0, high: float = 1e9) -> Option:
    def fits(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high

    return Option(fits, f"a number from {low:g} to {high:g}", default)


def _whole(default: int | None, low: int = 0, high: int = 1_000_000_000) -> Option:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return Option(fits, f"a whole number from {low} to {high}", default)


def _one_of(*values: str) -> Option:
    return Option(lambda value: value in values, "one of " + ", ".join(values), values[0])


def _text(default: str | None = None) -> Option:
    return Option(lambda value: isinstance(value, str), "a text", default)


def _flag(default: bool) -> Option:
    return Option(lambda value: isinstance(value, bool), "true or false", default)


def _anything() -> Option:
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
        "status": _whole(500, 200, 599),
        "body": _anything(),
        "headers": _object(),
        "accepted": _ACCEPTED,
    },
    "malformed": {
        "shape": _one_of("html", "truncated", "no_id", "huge", "empty"),
        "bytes": _whole(20_000_000, 1, 200_000_000),
        "accepted": _flag(True),
    },
    "unauthorized": {"code": _text("invalid_api_key")},
    "forbidden": {"requirement": _text("upgrade_plan")},
    "not_found": {"younger_than": _number(None)},
    "unknown_status": {"value": _text("hibernating")},
    "unknown_fields": {"fields": _object()},
    "cut": {"bytes": _whole(65_536, 0)},
    "expired": {},
}
WEBHOOK_KINDS: dict[str, dict[str, Option]] = {
    "webhook_drop": {},
    "webhook_double": {"copies": _whole(2, 2, 100)},
    "webhook_delay": {"seconds": _number(1.0)},
    "webhook_reorder": {"size": _whole(2, 2, 1000), "seconds": _number(5.0)},
    "webhook_hold": {},
    "webhook_forge": {"how": _one_of("wrong_secret", "altered_body", "stale", "future", "unsigned")},
}
JOB_KINDS: dict[str, dict[str, Option]] = {
    "job": {
        "seconds": _number(None),
        "fail": _text(),
        "attempts": _whole(0, 0, 20),
        "status": _one_of("running", "awaiting_approval"),
        "ignore_cancel": _flag(False),
        "without_results": _flag(False),
    },
}
UPLOAD_KINDS: dict[str, dict[str, Option]] = {"upload": {"seconds": _number(None), "fail": _text()}}
ANALYSIS_KINDS: dict[str, dict[str, Option]] = {"analysis": {"seconds": _number(None), "fail": _text()}}
KINDS = REQUEST_KINDS | WEBHOOK_KINDS | JOB_KINDS | UPLOAD_KINDS | ANALYSIS_KINDS
_COMMON = {"kind", "match", "count", "probability"}


@dataclass
class Fault:
    """One order. ``match`` is a pattern over "METHOD /path", the name of an event, a tool or a file, by kind."""

    number: int
    kind: str
    match: str
    count: int | None
    probability: float
    options: Json = field(default_factory=dict)
    struck: int = 0

    def as_json(self) -> Json:
        return {
            "id": self.number,
            "kind": self.kind,
            "match": self.match,
            "count": self.count,
            "probability": self.probability,
            "struck": self.struck,
            **self.options,
        }


_numbers = itertools.count(1)


def parse_fault(data: Any) -> Fault:
    """Read an order; 400 that names what is wrong with it."""
    if not isinstance(data, dict):
        raise invalid_parameters("each fault must be an object")
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise invalid_parameters(f"kind must be one of {', '.join(KINDS)}")
    options = KINDS[kind]
    unknown = set(data) - _COMMON - set(options)
    if unknown:
        raise invalid_parameters(f"{kind} does not take {', '.join(sorted(unknown))}")
    match = data.get("match", "*")
    if not isinstance(match, str) or not match:
        raise invalid_parameters("match must be a text such as 'POST /v1/tools/*'")
    count = data.get("count")
    if count is not None and not _whole(None, 1).accepts(count):
        raise invalid_parameters("count must be a whole number from 1")
    probability = data.get("probability", 1.0)
    if not _number(None, 0, 1).accepts(probability):
        raise invalid_parameters("probability must be a number from 0 to 1")
    values = {}
    for name, option in options.items():
        value = data.get(name, option.default)
        if name in data and not option.accepts(value):
            raise invalid_parameters(f"{name} must be {option.wanted}")
        values[name] = value
    return Fault(next(_numbers), kind, match, count, float(probability), values)


class Faults:
    """The orders in force, in the order in which they came."""

    def __init__(self) -> None:
        self.orders: list[Fault] = []
        self.url_lifetime: float | None = None
        """Seconds that signed URLs live from now on; None for what the command line said."""
        self.upload_lifetime: float | None = None
        """The same for upload URLs."""

    def clear(self) -> None:
        self.orders = []
        self.url_lifetime = self.upload_lifetime = None

    def for_request(self, method: str, path: str) -> list[Fault]:
        return self._strike(REQUEST_KINDS, f"{method} {path}")

    def for_event(self, name: str) -> list[Fault]:
        return self._strike(WEBHOOK_KINDS, name)

    def for_job(self, tool: str) -> list[Fault]:
        return self._strike(JOB_KINDS, tool)

    def for_upload(self, display_name: str) -> list[Fault]:
        return self._strike(UPLOAD_KINDS, display_name)

    def for_analysis(self, display_name: str) -> list[Fault]:
        return self._strike(ANALYSIS_KINDS, display_name)

    def _strike(self, kinds: dict[str, dict[str, Option]], subject: str) -> list[Fault]:
        struck = []
        for fault in list(self.orders):
            if fault.kind not in kinds or not fnmatch.fnmatchcase(subject, fault.match):
                continue
            if fault.probability < 1 and random.random() >= fault.probability:
                continue
            fault.struck += 1
            struck.append(fault)
            if fault.count is not None:
                fault.count -= 1
                if fault.count == 0:
                    self.orders.remove(fault)
        return struck
