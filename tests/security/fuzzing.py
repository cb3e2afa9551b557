"""Requests to the receiver that nobody would think of: how they are made, for tests that send very many."""

from __future__ import annotations

import json
import os
import random
import time
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from tests.factories.deliveries import OTHER_SECRET, signed

VOLLEY = 20  # requests that are made of one body
# How many in process, and over the wire: as many bodies as the profile of hypothesis has examples. `make fuzz` sets it.
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", VOLLEY * settings().max_examples))
ON_THE_WIRE = max(200, REQUESTS // 50)

EVENTS = (
    *(f"tool_execution.{end}" for end in ("succeeded", "failed", "cancelled", "awaiting_approval")),
    *(
        f"file.{what}"
        for what in ("upload.completed", "upload.failed", "analysis_completed", "playback_ready")
    ),
    *("workflow_run.succeeded", "x", ""),
)
FIELDS = ("event", "toolExecutionId", "toolType", "occurredAt", "results", "error", "file", "fileId")
KNOWN = ("vg_exec_fuzz_1", "vg_exec_fuzz_2")  # jobs that are there, one running, one ended


@dataclass
class Fuzzed:
    """A request as a server hands it on. `webhook_id` is set when it is signed for us as it stands."""

    method: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    parts: list[bytes]
    leaves: bool
    """The sender goes before the end of the body."""
    webhook_id: str = ""

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)


# --- bodies -----------------------------------------------------------------------------------------------

numbers = st.one_of(
    st.integers(),
    st.floats(),
    st.integers(min_value=-(10**400), max_value=10**400),
    st.sampled_from([0, -1, 1e308, 253402300800, -62135596801, 1779962412]),
)
words = st.one_of(
    st.text(max_size=30), st.sampled_from(["", "\x00", "a" * 5000, "\ud800", "2026-11-24T06:00:00Z"])
)
scalars = st.one_of(st.none(), st.booleans(), numbers, words)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4),
    max_leaves=12,
)
source = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("status", "url", "expiresAt", "width", "height", "fileBytes"), anything)
)
a_file = st.fixed_dictionaries(
    {"fileId": st.sampled_from(["vg_file_fuzz", "", "x" * 200]) | words},
    optional={
        **{f"{kind}Source": source | anything for kind in ("thumbnail", "preview", "download", "hls")},
        **dict.fromkeys(("type", "displayName", "durationSeconds", "transcript", "description"), anything),
    },
)
result = st.fixed_dictionaries({}, optional={"fileId": words, "type": words, "file": a_file | anything})
event = st.fixed_dictionaries(
    {"event": st.sampled_from(EVENTS) | words},
    optional={
        "toolExecutionId": st.sampled_from(KNOWN) | anything,
        "toolType": words | anything,
        "occurredAt": numbers | anything,
        "results": st.lists(result, max_size=3) | anything,
        "error": st.fixed_dictionaries({}, optional={"message": anything, "code": anything}) | anything,
        "file": a_file | anything,
        "fileId": words,
    },
)


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


bodies = st.one_of(
    event.map(written),
    event.map(written),
    anything.map(written),
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"[" * 5000, b"{" * 3000, b'{"a":' * 2000 + b"1", b"\xff\xfe{}", b"9" * 6000, b"nul"]
    ),
)

# --- headers ----------------------------------------------------------------------------------------------

names = st.sampled_from(
    [
        b"content-length",
        b"content-encoding",
        b"transfer-encoding",
        b"host",
        b"cookie",
        b"x-forwarded-for",
        b"expect",
        b"content-type",
        b"webhook-id",
        b"webhook-timestamp",
        b"webhook-signature",
    ]
) | st.binary(min_size=1, max_size=20).map(bytes.lower)
values = st.binary(max_size=40) | st.sampled_from(
    [b"", b"-1", b"gzip", b"99999999999", b"\xff", b"v1,", b"a" * 9000]
)
extra = st.lists(st.tuples(names, values), max_size=3)
TYPES = (
    "application/json",
    "application/json",
    "application/json; charset=utf-8",
    "text/plain",
    "",
    "a/b;c=\xff",
)
METHODS = (*["POST"] * 15, "GET", "PUT", "HEAD", "OPTIONS", "TRACE", "BREW")
# Signed well half of the time: what is behind the signature wants to be reached too.
MANNERS = (*["well"] * 6, "other secret", "other body", "stale", "no id", "garbage", "not")


@st.composite
def volleys(draw: Any) -> list[Fuzzed]:
    """Requests with one body and its likes. To make each of them wholly anew would take most of the time."""
    body, query, more = draw(bodies), draw(st.binary(max_size=10)), draw(extra)
    garbage = draw(words)[:20]
    chance = random.Random(draw(st.integers(0, 2**32)))
    return [_variation(chance, body, query, more, garbage) for _ in range(VOLLEY)]


def _variation(
    chance: random.Random, body: bytes, query: bytes, more: list[tuple[bytes, bytes]], garbage: str
) -> Fuzzed:
    if chance.random() < 0.4:
        body = _spoiled(chance, body)
    if chance.random() < 0.7:
        more = []
    webhook_id = f"msg_{chance.randrange(10**12)}"
    manner = chance.choice(MANNERS)
    match manner:
        case "well":
            told = signed(body, webhook_id)
        case "other secret":
            told = signed(body, webhook_id, secret=OTHER_SECRET)
        case "other body":
            told = signed(body + b" ", webhook_id)
        case "stale":
            told = signed(body, webhook_id, int(time.time()) - 400)
        case "no id":
            told = {name: value for name, value in signed(body, webhook_id).items() if name != "webhook-id"}
        case "garbage":
            told = {"webhook-id": webhook_id, "webhook-timestamp": garbage, "webhook-signature": "v1,=="}
        case _:
            told = {}
    told["content-type"] = chance.choice(TYPES)
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in told.items()]
    place = chance.randrange(len(body) + 1)
    leaves, method = chance.random() < 0.03, chance.choice(METHODS)
    # A header that stands there twice may make it another's.
    is_ours = manner == "well" and not leaves and method == "POST" and not _touches(more)
    return Fuzzed(
        method, query, [*headers, *more], [body[:place], body[place:]], leaves, webhook_id if is_ours else ""
    )


def _spoiled(chance: random.Random, body: bytes) -> bytes:
    """Some of its bytes are others, or missing, or too many."""
    spoiled = bytearray(body)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(spoiled) + 1)
        spoiled[at : at + chance.randrange(4)] = chance.randbytes(chance.randrange(4))
    return bytes(spoiled)


def _touches(more: list[tuple[bytes, bytes]]) -> bool:
    return any(name.replace(b"_", b"-").startswith(b"webhook-") for name, _ in more)


@dataclass
class Tally:
    """What came of them."""

    statuses: dict[int, int] = field(default_factory=dict)

    def note(self, status: int) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
