"""Every fault that the stand-in knows, a few of them at a time, at random."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from soak.site import Site

STARTS, READS, MEDIA = "POST /v1/tools/*", "GET /v1/*", "GET /media/*"
AT_ONCE = 7
CHANCE = 0.2
SHAPES = ("html", "truncated", "no_id", "empty")

# What a call, a message or a job may meet. What a person has to put right (a key, a plan) strikes starts alone:
# there it is an answer like any other, elsewhere it stops the account for a minute.
TROUBLES: list[dict[str, Any]] = [
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
    """`next` changes what is wrong; each kind has had its turn before any has its second."""

    def __init__(self, site: Site, chance: random.Random, always: list[dict[str, Any]]) -> None:
        self._site = site
        self._always = always
        self._chance = chance
        self._waiting: list[dict[str, Any]] = []
        self.struck: Counter[str] = Counter()

    def next(self) -> None:
        self._count()
        chosen = []
        while len(chosen) < AT_ONCE:
            if not self._waiting:
                self._waiting = self._chance.sample(TROUBLES, len(TROUBLES))
            chosen.append({"probability": CHANCE, **self._waiting.pop()})
        self._site.control("PUT", "faults", {"faults": self._always + chosen, "limits": LIMITS})
        # What was held comes now, the last first.
        self._site.control("POST", "deliveries/release?backwards=true")

    def end(self) -> None:
        """All is well again, and what was held is sent."""
        self._count()
        self._site.control("DELETE", "faults")
        self._site.control("PUT", "faults", {"faults": self._always, "limits": LIMITS})

    def _count(self) -> None:
        for fault in self._site.control("GET", "faults")["faults"]:
            self.struck[fault["kind"]] += fault["struck"]

    @property
    def never(self) -> list[str]:
        """Kinds that have not struck once."""
        return sorted(
            {each["kind"] for each in TROUBLES} - {kind for kind, count in self.struck.items() if count}
        )
