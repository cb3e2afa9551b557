"""Generates random requests to the receiver, for tests that send very many."""

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

BATCH_SIZE = 20  # requests made from one body
# The number of requests in process, and over TCP: by default one body per example of the hypothesis profile. `make fuzz` sets it.
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", BATCH_SIZE * settings().max_examples))
TCP_REQUESTS = max(200, REQUESTS // 50)

EVENTS = (
    *(f"tool_execution.{status}" for status in ("succeeded", "failed", "cancelled", "awaiting_approval")),
    *(
        f"file.{what}"
        for what in ("upload.completed", "upload.failed", "analysis_completed", "playback_ready")
    ),
    *("workflow_run.succeeded", "x", ""),
)
FIELDS = ("event", "toolExecutionId", "toolType", "occurredAt", "results", "error", "file", "fileId")
EXISTING_JOBS = ("vg_exec_fuzz_1", "vg_exec_fuzz_2")  # one is running, one has finished


@dataclass
class FuzzedRequest:
    """A request as a server passes it to the application. `webhook_id` is set if its signature is valid."""

    method: str
    query: bytes
    headers: list[tuple[bytes, bytes]]
    parts: list[bytes]
    disconnects: bool
    """The sender disconnects before the end of the body."""
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
texts = st.one_of(
    st.text(max_size=30), st.sampled_from(["", "\x00", "a" * 5000, "\ud800", "2026-11-24T06:00:00Z"])
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
any_json = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
source = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("status", "url", "expiresAt", "width", "height", "fileBytes"), any_json)
)
a_file = st.fixed_dictionaries(
    {"fileId": st.sampled_from(["vg_file_fuzz", "", "x" * 200]) | texts},
    optional={
        **{f"{kind}Source": source | any_json for kind in ("thumbnail", "preview", "download", "hls")},
        **dict.fromkeys(("type", "displayName", "durationSeconds", "transcript", "description"), any_json),
    },
)
result = st.fixed_dictionaries({}, optional={"fileId": texts, "type": texts, "file": a_file | any_json})
event = st.fixed_dictionaries(
    {"event": st.sampled_from(EVENTS) | texts},
    optional={
        "toolExecutionId": st.sampled_from(EXISTING_JOBS) | any_json,
        "toolType": texts | any_json,
        "occurredAt": numbers | any_json,
        "results": st.lists(result, max_size=3) | any_json,
        "error": st.fixed_dictionaries({}, optional={"message": any_json, "code": any_json}) | any_json,
        "file": a_file | any_json,
        "fileId": texts,
    },
)


def encode(value: Any) -> bytes:
    return json.dumps(value).encode()


bodies = st.one_of(
    event.map(encode),
    event.map(encode),
    any_json.map(encode),
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
# Half of the requests are signed correctly, so that the code behind the signature check is reached.
SIGNATURES = (*["valid"] * 6, "other secret", "other body", "stale", "no id", "garbage", "none")


@st.composite
def batches(draw: Any) -> list[FuzzedRequest]:
    """Requests with one body and variations of it; generating each from scratch would take most of the time."""
    body, query, more = draw(bodies), draw(st.binary(max_size=10)), draw(extra)
    garbage = draw(texts)[:20]
    rng = random.Random(draw(st.integers(0, 2**32)))
    return [_variation(rng, body, query, more, garbage) for _ in range(BATCH_SIZE)]


def _variation(
    rng: random.Random, body: bytes, query: bytes, more: list[tuple[bytes, bytes]], garbage: str
) -> FuzzedRequest:
    if rng.random() < 0.4:
        body = _corrupted(rng, body)
    if rng.random() < 0.7:
        more = []
    webhook_id = f"msg_{rng.randrange(10**12)}"
    signing = rng.choice(SIGNATURES)
    match signing:
        case "valid":
            signature_headers = signed(body, webhook_id)
        case "other secret":
            signature_headers = signed(body, webhook_id, secret=OTHER_SECRET)
        case "other body":
            signature_headers = signed(body + b" ", webhook_id)
        case "stale":
            signature_headers = signed(body, webhook_id, int(time.time()) - 400)
        case "no id":
            signature_headers = {
                name: value for name, value in signed(body, webhook_id).items() if name != "webhook-id"
            }
        case "garbage":
            signature_headers = {
                "webhook-id": webhook_id,
                "webhook-timestamp": garbage,
                "webhook-signature": "v1,==",
            }
        case _:
            signature_headers = {}
    signature_headers["content-type"] = rng.choice(TYPES)
    headers = [
        (name.encode(), value.encode("latin-1", "replace")) for name, value in signature_headers.items()
    ]
    place = rng.randrange(len(body) + 1)
    disconnects, method = rng.random() < 0.03, rng.choice(METHODS)
    # A repeated webhook header may invalidate the signature.
    is_valid = signing == "valid" and not disconnects and method == "POST" and not _has_webhook_header(more)
    return FuzzedRequest(
        method,
        query,
        [*headers, *more],
        [body[:place], body[place:]],
        disconnects,
        webhook_id if is_valid else "",
    )


def _corrupted(rng: random.Random, body: bytes) -> bytes:
    """The body with some bytes changed, removed or added."""
    corrupted = bytearray(body)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(corrupted) + 1)
        corrupted[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
    return bytes(corrupted)


def _has_webhook_header(more: list[tuple[bytes, bytes]]) -> bool:
    return any(name.replace(b"_", b"-").startswith(b"webhook-") for name, _ in more)


@dataclass
class Tally:
    """Counts responses by status."""

    statuses: dict[int, int] = field(default_factory=dict)

    def count(self, status: int) -> None:
        self.statuses[status] = self.statuses.get(status, 0) + 1
