"""Parsing the body of a delivery: events, and the reasons why a body is not one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.videogen import MalformedEvent, WebhookEvent, parse_event
from tests.executions.videogen.test_client_wire import SHAPED


def body(data: Any) -> bytes:
    return json.dumps(data).encode()


def test_the_event_of_a_successful_job_has_its_results(example: Callable[[str], Any]) -> None:
    event = parse_event(body(example("event-tool-execution-succeeded")))

    assert event.event == "tool_execution.succeeded"
    assert event.execution_id == "vg_exec_h4Vq0sJm2LwYtR8bNcZ1xK"
    assert (event.file_id, event.file, event.error) == (None, None, None)
    assert event.tool_type == "GENERATE_IMAGE"
    assert event.occurred_at == datetime.fromtimestamp(1779962431, UTC)
    assert [result.file_id for result in event.results] == ["vg_file_u7Qd5TzX0aKpWmE3rLh9sB"]
    assert event.raw == example("event-tool-execution-succeeded")


def test_the_event_of_a_failed_job_has_its_error(example: Callable[[str], Any]) -> None:
    event = parse_event(body(example("event-tool-execution-failed")))

    assert event.error is not None
    assert event.error.internal_error_code == "AVR-5582"


def test_the_event_of_a_ready_file_has_the_file(example: Callable[[str], Any]) -> None:
    event = parse_event(example("event-file-download-ready"))

    assert event.execution_id is None
    assert event.file is not None
    assert event.file_id == event.file.file_id == "vg_file_e6Gy1PcMz9ViSo3DnTf7jA"
    assert event.file.is_ready


@pytest.mark.parametrize("reported", [{"fileId": "f"}, {"storageFileId": "f"}, {"file": {"fileId": "f"}}])
def test_the_id_of_a_file_is_in_one_of_three_fields(reported: dict[str, Any]) -> None:
    assert parse_event({"event": "file.download_ready"} | reported).file_id == "f"


def test_an_unknown_event_is_parsed_like_the_others() -> None:
    event = parse_event(
        body({"event": "workflow_run.failed", "occurredAt": "2026-05-28T10:00:00Z", "error": "Oh"})
    )

    assert event.event == "workflow_run.failed"
    assert event.occurred_at == datetime.fromtimestamp(1779962400, UTC)
    assert event.error is not None
    assert event.error.message == "Oh"


@pytest.mark.parametrize("when", [None, "soon", 1e300, -5, 0, True, [], {}, "9" * 99])
def test_an_invalid_time_counts_as_missing(when: Any) -> None:
    assert parse_event(body({"event": "x", "occurredAt": when})).occurred_at is None


def test_a_lone_surrogate_does_not_lose_the_event() -> None:
    event = parse_event(
        b'{"event": "file.download_ready", "file": {"fileId": "f", "displayName": "cut \\ud83d"}}'
    )

    assert event.file is not None
    assert event.file.display_name == "cut \ufffd"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is not JSON"),
        (b"event=x", "is not JSON"),
        (b'{"event": "x"', "is not JSON"),
        (b'{"event": "x"} {}', "is not JSON"),
        (b"\xef\xbb\xbf" + b'{"event": "x"}', "is not JSON"),
        (b'{"event": "x\x00"}', "is not JSON"),
        (b'{"event": "x\\u0000"}', "has a NUL"),
        (b'{"event": "x", "y": ["\\u0000"]}', "has a NUL"),
        (b'{"event": "x", "\\u0000": 1}', "has a NUL"),
        (b'{"event": "\xff"}', "is not UTF-8"),
        (b'{"event": "\xed\xa0\x80"}', "is not UTF-8"),
        ('{"event": "x"}'.encode("utf-16"), "is not UTF-8"),
        ('{"event": "x"}'.encode("utf-16-le"), "is not JSON"),
        ('{"event": "x"}'.encode("utf-32"), "is not UTF-8"),
        (b"null", "is not a JSON object"),
        (b'"event"', "is not a JSON object"),
        (b'[{"event": "x"}]', "is not a JSON object"),
        (b"{}", "no event name"),
        (b'{"event": null}', "no event name"),
        (b'{"event": ["x"]}', "no event name"),
        (b'{"event": " "}', "no event name"),
        (b'{"event": "' + b"x" * 101 + b'"}', "more than 100 characters"),
        (b'{"event": "x", "event": "y"}', "has a duplicate key"),
        (b'{"event": "x", "file": {"a": 1, "a": 1}}', "has a duplicate key"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'{"event": "x", "a": ' + b"[" * 70 + b"]" * 70 + b"}", "nested too deeply"),
        (b'{"event": "x", "a": NaN}', "out of range"),
        (b'{"event": "x", "a": -Infinity}', "out of range"),
        (b'{"event": "x", "a": 1e999}', "out of range"),
        (b'{"event": "x", "a": ' + b"9" * 31 + b"}", "out of range"),
        (b'{"event": "x", "a": ' + b"9" * 5000 + b"}", "is not JSON"),
    ],
)
def test_a_body_that_is_not_an_event_is_rejected(text: bytes, reason: str) -> None:
    with pytest.raises(MalformedEvent, match=reason) as caught:
        parse_event(text)

    assert str(caught.value).startswith("The ")
    assert len(str(caught.value)) < 100


def test_a_parsed_body_is_checked_in_the_same_way() -> None:
    with pytest.raises(MalformedEvent, match="NUL"):
        parse_event({"event": "x", "a": "\x00"})
    with pytest.raises(MalformedEvent, match="out of range"):
        parse_event({"event": "x", "a": float("nan")})
    with pytest.raises(MalformedEvent, match="contains a datetime"):
        parse_event({"event": "x", "a": datetime.now(UTC)})


@given(data=SHAPED)
def test_any_json_is_an_event_or_is_rejected(data: Any) -> None:
    rejected = ""
    try:
        event = parse_event(body(data))
    except MalformedEvent as error:
        rejected = str(error)

    assert rejected.startswith("The ") if rejected else isinstance(event, WebhookEvent)


FIELDS = st.sampled_from(["results", "file", "error", "occurredAt", "toolType"])


@given(fields=st.dictionaries(FIELDS, SHAPED))
def test_any_fields_of_an_event(fields: dict[str, Any]) -> None:
    rejected = ""
    try:
        event = parse_event({"event": "tool_execution.succeeded", "toolExecutionId": "vg_exec_1"} | fields)
    except MalformedEvent as error:
        rejected = str(error)

    if rejected:
        assert "out of range" in rejected or "NUL" in rejected
    else:
        assert event.execution_id == "vg_exec_1"
        assert event.occurred_at is None or event.occurred_at.tzinfo is UTC
