"""Every fault that the sandbox can simulate, a few at a time, at random."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from soak.site import Site

STARTS, READS, MEDIA = "POST /v1/tools/*", "GET /v1/*", "GET /media/*"
ACTIVE_FAULTS = 7
PROBABILITY = 0.2
SHAPES = ("html", "truncated", "no_id", "empty")

# Faults of calls, webhooks and jobs. Those that need a person to fix them (a key, a plan) apply to starts only:
# on other calls they would pause the whole account for a minute.
FAULTS: list[dict[str, Any]] = [
    {"kind": "lost_before"},
    {"kind": "lost_after"},
    {"kind": "slow", "seconds": 0.5},
    *({"kind": "rate_limited", "hint": hint, "seconds": 1} for hint in ("retry_after", "reset")),
    *({"kind": "status", "status": status} for status in (500, 502, 503)),
    {"kind": "status", "status": 504, "accepted": True},
    {"kind": "status", "status": 400, "match": STARTS, "body": {"message": "No.", "code": "invalid_parameters"}},
    *({"kind": "malformed", "shape": shape} for shape in SHAPES),
    {"kind": "malformed", "shape": "huge", "bytes": 2_000_000},
    {"kind": "unauthorized", "match": STARTS},
    {"kind": "forbidden", "match": STARTS},
    {"kind": "not_found", "match": READS, "younger_than": 20},
    {"kind": "unknown_status"},
    {"kind": "unknown_fields"},
    {"kind": "cut", "bytes": 1000},
    {"kind": "expired", "match": MEDIA},
    {"kind": "webhook_drop"},
    {"kind": "webhook_double", "copies": 3},
    {"kind": "webhook_delay", "seconds": 3},
    {"kind": "webhook_reorder", "size": 3, "seconds": 3},
    {"kind": "webhook_hold"},
    *({"kind": "webhook_forge", "how": how} for how in ("wrong_secret", "altered_body", "stale", "unsigned")),
    {"kind": "job", "fail": "content_policy"},
    {"kind": "job", "attempts": 1},
    {"kind": "job", "status": "awaiting_approval"},
    {"kind": "job", "ignore_cancel": True, "seconds": 2},
    {"kind": "job", "without_results": True},
    {"kind": "upload", "fail": "unreadable"},
    {"kind": "analysis", "fail": "unreadable"},
]  # fmt: skip
LIMITS = {
    name: {"limit": 1_000_000}
    for name in ("POST /v1/tools/*", "POST /v1/tools/executions/{id}/cancel", "POST /v1/files/upload")
}


class Trouble:
    """Chooses the active faults. Every kind has its turn before any kind has a second one."""

    def __init__(self, site: Site, chance: random.Random, always: list[dict[str, Any]]) -> None:
        self._site = site
        self._always = always
        self._chance = chance
        self._unused: list[dict[str, Any]] = []
        self.triggered: Counter[str] = Counter()

    def next(self) -> None:
        self._count()
        chosen = []
        while len(chosen) < ACTIVE_FAULTS:
            if not self._unused:
                self._unused = self._chance.sample(FAULTS, len(FAULTS))
            chosen.append({"probability": PROBABILITY, **self._unused.pop()})
        self._site.control("PUT", "faults", {"faults": self._always + chosen, "limits": LIMITS})
        # Send the held webhooks now, the latest first.
        self._site.control("POST", "deliveries/release?backwards=true")

    def end(self) -> None:
        """Remove all faults but the permanent ones. Held webhooks are sent."""
        self._count()
        self._site.control("DELETE", "faults")
        self._site.control("PUT", "faults", {"faults": self._always, "limits": LIMITS})

    def _count(self) -> None:
        for fault in self._site.control("GET", "faults")["faults"]:
            self.triggered[fault["kind"]] += fault["triggered"]

    @property
    def never(self) -> list[str]:
        """The kinds that were never triggered."""
        return sorted(
            {each["kind"] for each in FAULTS} - {kind for kind, count in self.triggered.items() if count}
        )
