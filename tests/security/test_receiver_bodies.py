"""Signed deliveries with invalid bodies are refused with a message, and never cause an error."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from executions.core import runtime
from tests.factories.deliveries import deliver, event, signed
from tests.security.test_receiver_attacks import delivery_count, running

pytestmark = pytest.mark.django_db(transaction=True)

VALID = b'{"event": "tool_execution.succeeded", "toolExecutionId": "vg_exec_1"}'
INVALID = {
    "not JSON": b"event=tool_execution.succeeded",
    "nothing": b"",
    "a list": b"[]",
    "a string": b'"tool_execution.succeeded"',
    "no event": b'{"toolExecutionId": "vg_exec_1"}',
    "an event that is not a string": b'{"event": {"a": 1}}',
    "a long event": b'{"event": "' + b"e" * 101 + b'"}',
    "gzip inside": gzip.compress(VALID),
    "UTF-16": VALID.decode().encode("utf-16"),
    "broken UTF-8": b'{"event": "tool_execution.\xff\xfe"}',
    "a NUL": b'{"event": "tool_execution.succeeded", "toolExecutionId": "vg\\u0000"}',
    "deep nesting": b'{"event": "x", "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "unclosed nesting": b"[" * 100_000,
    "a repeated key": b'{"event": "tool_execution.succeeded", "event": "tool_execution.failed"}',
    "a huge number": b'{"event": "x", "occurredAt": ' + b"9" * 5000 + b"}",
    "a number beyond all floats": b'{"event": "x", "occurredAt": 1e999}',
    "not a number": b'{"event": "x", "occurredAt": NaN}',
}


@pytest.mark.parametrize("name", INVALID)
async def test_an_invalid_signed_body_is_refused(name: str) -> None:
    body = INVALID[name]
    answer = await deliver(body)
    assert answer.status_code == 400, answer.content
    assert json.loads(answer.content)["message"].startswith(("The body ", "The event's name "))
    assert await runtime.in_db(delivery_count) == 0


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
async def test_only_json_is_accepted(content_type: str) -> None:
    answer = await deliver(VALID, content_type=content_type)
    assert answer.status_code == 400
    assert await runtime.in_db(delivery_count) == 0


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity, gzip"])
async def test_a_compressed_body_is_refused(encoding: str) -> None:
    body = gzip.compress(VALID)
    answer = await deliver(body, {**signed(body), "content-encoding": encoding})
    assert answer.status_code == 400


async def test_a_content_type_with_a_charset_is_accepted() -> None:
    assert (await deliver(VALID, content_type="application/json; charset=utf-8")).status_code == 200


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
        {"unknown": {"fields": ["are", "stored"]}, "\u202e": "right to left"},
    ],
)
async def test_unexpected_values_in_a_signed_event_are_accepted(more: dict[str, Any]) -> None:
    execution = await running()
    answer = await deliver(event(execution.remote_id, **more))
    assert answer.status_code == 200, answer.content
