"""Signed deliveries whose bodies are not sound: refused in words, never an error of ours."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from executions.core import runtime
from tests.factories.deliveries import deliver, event, signed
from tests.security.test_receiver_attacks import rows, running

pytestmark = pytest.mark.django_db(transaction=True)

GOOD = b'{"event": "tool_execution.succeeded", "toolExecutionId": "vg_exec_1"}'
UNSOUND = {
    "no JSON": b"event=tool_execution.succeeded",
    "nothing": b"",
    "a list": b"[]",
    "a word": b'"tool_execution.succeeded"',
    "no event": b'{"toolExecutionId": "vg_exec_1"}',
    "an event that is no word": b'{"event": {"a": 1}}',
    "a long event": b'{"event": "' + b"e" * 101 + b'"}',
    "gzip inside": gzip.compress(GOOD),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "broken UTF-8": b'{"event": "tool_execution.\xff\xfe"}',
    "a NUL": b'{"event": "tool_execution.succeeded", "toolExecutionId": "vg\\u0000"}',
    "deep nesting": b'{"event": "x", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "nesting that never ends": b"[" * 100_000,
    "a key twice": b'{"event": "tool_execution.succeeded", "event": "tool_execution.failed"}',
    "a huge number": b'{"event": "x", "occurredAt": ' + b"9" * 5000 + b"}",
    "a number beyond all floats": b'{"event": "x", "occurredAt": 1e999}',
    "not a number": b'{"event": "x", "occurredAt": NaN}',
}


@pytest.mark.parametrize("what", UNSOUND)
async def test_a_signed_body_that_is_not_sound_is_refused(what: str) -> None:
    body = UNSOUND[what]
    answer = await deliver(body)
    assert answer.status_code == 400, answer.content
    assert json.loads(answer.content)["message"].startswith(("The body ", "The event's name "))
    assert await runtime.in_db(rows) == 0


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/html",
        "*/*",
    ],
)
async def test_only_json_is_taken(content_type: str) -> None:
    answer = await deliver(GOOD, content_type=content_type)
    assert answer.status_code == 400
    assert await runtime.in_db(rows) == 0


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_packed_body_is_not_unpacked(encoding: str) -> None:
    body = gzip.compress(GOOD)
    answer = await deliver(body, {**signed(body), "content-encoding": encoding})
    assert answer.status_code == 400


async def test_a_charset_beside_the_type_is_usual() -> None:
    assert (await deliver(GOOD, content_type="application/json; charset=utf-8")).status_code == 200


@pytest.mark.parametrize(
    "more",
    [
        {"occurredAt": -1e300},
        {"occurredAt": "yesterday"},
        {"results": "all of them"},
        {"results": [None, 1, {"fileId": 7}, {"fileId": "x" * 10_000}]},
        {"error": ["a", "list"]},
        {"toolType": "<script>alert(1)</script>" * 200},
        {"toolExecutionId": ["vg_exec_1"]},
        {"toolExecutionId": "../../etc/passwd"},
        {"unknown": {"fields": ["are", "kept"]}, "\u202e": "right to left"},
    ],
)
async def test_strange_values_in_a_signed_event_never_break_the_receiver(more: dict[str, Any]) -> None:
    execution = await running()
    answer = await deliver(event(execution.remote_id, **more))
    assert answer.status_code == 200, answer.content
