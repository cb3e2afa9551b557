"""Reading the body of a delivery: what an event is, and why something is none."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.videogen import Event, MalformedEvent, parse_event
from tests.executions.videogen.test_client_wire import SHAPED


def body(data: Any) -> bytes:
    return json.dumps(data).encode()


def test_a_job_succeeded(example: Callable[[str], Any]) -> None:
    event = parse_event(body(example("event-tool-execution-succeeded")))

    assert event.event == "tool_execution.succeeded"
    assert event.execution_id == "vg_exec_h4Vq0sJm2LwYtR8bNcZ1xK"
    assert (event.file_id, event.file, event.error) == (None, None, None)
    assert event.tool_type == "GENERATE_IMAGE"
    assert event.occurred_at == datetime.fromtimestamp(1779962431, UTC)
    assert [result.file_id for result in event.results] == ["vg_file_u7Qd5TzX0aKpWmE3rLh9sB"]
    assert event.raw == example("event-tool-execution-succeeded")


def test_a_job_failed(example: Callable[[str], Any]) -> None:
    event = parse_event(body(example("event-tool-execution-failed")))

    assert event.error is not None
    assert event.error.internal_error_code == "AVR-5582"


def test_a_file_is_ready(example: Callable[[str], Any]) -> None:
    event = parse_event(example("event-file-download-ready"))

    assert event.execution_id is None
    assert event.file is not None
    assert event.file_id == event.file.file_id == "vg_file_e6Gy1PcMz9ViSo3DnTf7jA"
    assert event.file.is_ready


@pytest.mark.parametrize("told", [{"fileId": "f"}, {"storageFileId": "f"}, {"file": {"fileId": "f"}}])
def test_the_id_of_a_file_stands_in_one_of_three_places(told: dict[str, Any]) -> None:
    assert parse_event({"event": "file.download_ready"} | told).file_id == "f"


def test_an_unknown_event_is_read_like_the_others() -> None:
    event = parse_event(
        body({"event": "workflow_run.failed", "occurredAt": "2026-05-28T10:00:00Z", "error": "Oh"})
    )

    assert event.event == "workflow_run.failed"
    assert event.occurred_at == datetime.fromtimestamp(1779962400, UTC)
    assert event.error is not None
    assert event.error.message == "Oh"


@pytest.mark.parametrize("when", [None, "soon", 1e300, -5, 0, True, [], {}, "9" * 99])
def test_an_absurd_time_is_no_time(when: Any) -> None:
    assert parse_event(body({"event": "x", "occurredAt": when})).occurred_at is None


def test_half_an_emoji_does_not_lose_an_event() -> None:
    event = parse_event(
        b'{"event": "file.download_ready", "file": {"fileId": "f", "displayName": "cut \\ud83d"}}'
    )

    assert event.file is not None
    assert event.file.display_name == "cut \ufffd"


@pytest.mark.parametrize(
    ("text", "why"),
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
        (b'{"event": "x", "event": "y"}', "has a key twice"),
        (b'{"event": "x", "file": {"a": 1, "a": 1}}', "has a key twice"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
        (b'{"event": "x", "a": ' + b"[" * 70 + b"]" * 70 + b"}", "nested too deeply"),
        (b'{"event": "x", "a": NaN}', "out of all range"),
        (b'{"event": "x", "a": -Infinity}', "out of all range"),
        (b'{"event": "x", "a": 1e999}', "out of all range"),
        (b'{"event": "x", "a": ' + b"9" * 31 + b"}", "out of all range"),
        (b'{"event": "x", "a": ' + b"9" * 5000 + b"}", "is not JSON"),
    ],
)
def test_what_is_no_event(text: bytes, why: str) -> None:
    with pytest.raises(MalformedEvent, match=why) as caught:
        parse_event(text)

    assert str(caught.value).startswith("The ")
    assert len(str(caught.value)) < 100


def test_a_parsed_event_is_read_with_the_same_care() -> None:
    with pytest.raises(MalformedEvent, match="NUL"):
        parse_event({"event": "x", "a": "\x00"})
    with pytest.raises(MalformedEvent, match="out of all range"):
        parse_event({"event": "x", "a": float("nan")})
    with pytest.raises(MalformedEvent, match="datetime inside"):
        parse_event({"event": "x", "a": datetime.now(UTC)})


@given(data=SHAPED)
def test_any_json_is_an_event_or_refused(data: Any) -> None:
    refused = ""
    try:
        event = parse_event(body(data))
    except MalformedEvent as error:
        refused = str(error)

    assert refused.startswith("The ") if refused else isinstance(event, Event)


FIELDS = st.sampled_from(["results", "file", "error", "occurredAt", "toolType"])


@given(fields=st.dictionaries(FIELDS, SHAPED))
def test_any_fields_of_an_event(fields: dict[str, Any]) -> None:
    refused = ""
    try:
        event = parse_event({"event": "tool_execution.succeeded", "toolExecutionId": "vg_exec_1"} | fields)
    except MalformedEvent as error:
        refused = str(error)

    if refused:
        assert "out of all range" in refused or "NUL" in refused
    else:
        assert event.execution_id == "vg_exec_1"
        assert event.occurred_at is None or event.occurred_at.tzinfo is UTC
