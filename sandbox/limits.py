"""Rate limits: fixed windows of one hour from first use, per key and endpoint group (docs/api-notes.md#rate-limits)."""

from __future__ import annotations

import math
import re
import time
from dataclasses import dataclass

HOUR = 3600.0
UNDOCUMENTED = "undocumented"
"""The group of paths without a documented limit (docs/api-notes.md#rate-limits). High limit, same headers."""


@dataclass(frozen=True)
class Group:
    name: str
    method: str
    path: re.Pattern[str]
    per_hour: int


def _group(name: str, per_hour: int, method: str, path: str) -> Group:
    return Group(name, method, re.compile(path), per_hour)


GROUPS = (
    _group("POST /v1/tools/executions/{id}/cancel", 250, "POST", r"/v1/tools/executions/[^/]+/cancel"),
    _group("POST /v1/tools/*", 500, "POST", r"/v1/tools/[^/]+"),
    _group("GET /v1/tools/executions/{id}", 5000, "GET", r"/v1/tools/executions/[^/]+"),
    _group("GET /v1/files and GET /v1/files/{id}", 50_000, "GET", r"/v1/files(/[^/]+)?"),
    _group("POST /v1/workflows/runs/{id}/cancel", 250, "POST", r"/v1/workflows/runs/[^/]+/cancel"),
    _group("POST /v1/workflows/*", 500, "POST", r"/v1/workflows/[^/]+"),
    _group("GET /v1/workflows/runs/{id}", 5000, "GET", r"/v1/workflows/runs/[^/]+"),
    _group("POST /v1/files/{id}/hydrate", 2500, "POST", r"/v1/files/[^/]+/hydrate"),
    _group("POST /v1/files/upload", 500, "POST", r"/v1/files/upload"),
    _group("POST /v1/files/search", 500, "POST", r"/v1/files/search"),
    _group("GET /v1/resources/*", 2500, "GET", r"/v1/resources/.+"),
    _group("GET /v1/webhooks/endpoints", 500, "GET", r"/v1/webhooks/endpoints"),
    _group("POST /v1/webhooks/endpoints", 10, "POST", r"/v1/webhooks/endpoints"),
    _group("DELETE /v1/webhooks/endpoints/{id}", 10, "DELETE", r"/v1/webhooks/endpoints/[^/]+"),
)
_OTHER = _group(UNDOCUMENTED, 50_000, "*", r".*")
NAMES = (*(group.name for group in GROUPS), UNDOCUMENTED)


def group_of(method: str, path: str) -> Group:
    for group in GROUPS:
        if group.method == method and group.path.fullmatch(path):
            return group
    return _OTHER


@dataclass
class Window:
    """Usage of one group by one key since ``opened_at`` (Unix seconds)."""

    limit: int
    seconds: float
    opened_at: float
    used: int = 0

    @property
    def headers(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "X-RateLimit-Reset": str(math.ceil(self.opened_at + self.seconds)),
        }


@dataclass(frozen=True)
class Override:
    """A rate limit set by a test, and the duration of its window in seconds."""

    limit: int
    seconds: float = HOUR


class Limits:
    """Counts requests against ``GROUPS``, or against ``overrides`` for the groups named there."""

    def __init__(self) -> None:
        self._windows: dict[tuple[str, str], Window] = {}
        self.overrides: dict[str, Override] = {}

    def override(self, overrides: dict[str, Override]) -> None:
        """Replace the limits of the named groups, and reset their windows."""
        changed = set(overrides) | set(self.overrides)
        self.overrides = dict(overrides)
        self._windows = {key: window for key, window in self._windows.items() if key[1] not in changed}

    def unused_window(self, group: Group) -> Window:
        """An unused window, for the headers of calls without a valid key."""
        return self._open(group)

    def consume(self, key: str, group: Group) -> tuple[Window, bool]:
        """Count one request. The second value is False when the limit was already reached."""
        window = self._windows.get((key, group.name))
        if window is None or time.time() >= window.opened_at + window.seconds:
            window = self._windows[key, group.name] = self._open(group)
        if window.used >= window.limit:
            return window, False
        window.used += 1
        return window, True

    def _open(self, group: Group) -> Window:
        override = self.overrides.get(group.name, Override(group.per_hour))
        return Window(override.limit, override.seconds, time.time())
