"""Parsing responses: every example, every API version, and arbitrary JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executions.videogen import (
    ApiError,
    ApiPage,
    FileUpload,
    MalformedResponse,
    Presenter,
    RemoteEndpoint,
    RemoteFile,
    SearchHit,
    ToolAccepted,
    ToolExecution,
    Voice,
    WebhookEndpointCreated,
    parse_event,
    wire_fields,
)
from executions.videogen.account import Account
from executions.videogen.safe_json import InvalidJson, decode
from tests.executions.videogen.conftest import EXAMPLES

# Rushes calls no workflows.
PARSED = sorted(set(EXAMPLES.glob("*.json")) - set(EXAMPLES.glob("workflow-*.json")))
NOW = datetime.fromtimestamp(1779962400, UTC)

READERS: dict[str, Callable[[Any], Any]] = {
    "avatar": lambda data: ApiPage.from_wire(data, "avatarPresenters", Presenter.from_wire),
    "error": ApiError.from_wire,
    "event": parse_event,
    "execution": ToolExecution.from_wire,
    "executions": lambda data: ApiPage.from_wire(data, "toolExecutions", ToolExecution.from_wire),
    "file": RemoteFile.from_wire,
    "file-upload-created": FileUpload.from_wire,
    "files": lambda data: ApiPage.from_wire(data, "files", RemoteFile.from_wire),
    "files-search": SearchHit.all_from_wire,
    "me": Account.from_wire,
    "tool": ToolAccepted.from_wire,
    "tts": lambda data: ApiPage.from_wire(data, "ttsVoices", Voice.from_wire),
    "webhook-endpoint-created": WebhookEndpointCreated.from_wire,
    "webhook-endpoint-list": lambda data: ApiPage.from_wire(data, "endpoints", RemoteEndpoint.from_wire),
}


@pytest.mark.parametrize("path", PARSED, ids=lambda path: path.stem)
def test_every_example_can_be_parsed(path: Path) -> None:
    kind = path.stem if path.stem in READERS else path.stem.split("-")[0]
    data = decode(path.read_bytes())

    found = READERS[kind](data)

    assert data == json.loads(path.read_text())
    if isinstance(found, ApiPage):
        assert len(found.items) == len(next(items for items in data.values() if isinstance(items, list)))
    elif isinstance(found, list):
        assert [hit.file.raw for hit in found] == [each["file"] for each in data["results"]]
    elif isinstance(found, ApiError):
        assert found.message == data["message"]
    elif isinstance(found, FileUpload):
        assert (found.file_id, found.upload_url) == (data["fileId"], data["uploadUrl"])
    else:
        assert found.raw == {name: value for name, value in data.items() if name != "signingSecret"}


def test_the_result_of_a_succeeded_execution_is_parsed(example: Callable[[str], Any]) -> None:
    execution = ToolExecution.from_wire(example("execution-succeeded"))

    assert execution.is_terminal
    assert (execution.tool_type, execution.progress, execution.attempt) == ("GENERATE_IMAGE", None, None)
    (result,) = execution.results
    assert result.file is not None
    assert (result.type, result.file_id) == ("IMAGE", result.file.file_id)
    assert result.download is not None
    assert (result.download.width, result.download.height) == (1920, 1080)


def test_a_succeeded_execution_of_version_2_is_parsed(example: Callable[[str], Any]) -> None:
    execution = ToolExecution.from_wire(example("execution-succeeded-api-version-2"))

    assert (execution.progress, execution.attempt, execution.error) == (100, 1, None)
    (result,) = execution.results
    assert result.file is not None
    assert result.file.transcript == "Good morning."
    assert result.file.duration == 6.04
    assert result.download == result.file.download


def test_the_error_of_a_failed_execution_is_parsed(example: Callable[[str], Any]) -> None:
    execution = ToolExecution.from_wire(example("execution-failed"))

    assert execution.error == ApiError(
        "The audio file could not be read by the avatar renderer.", internal_error_code="AVR-5582"
    )
    assert execution.results == ()


@pytest.mark.parametrize(
    ("status", "final"),
    [
        ("pending", False),
        ("running", False),
        ("awaiting_approval", False),
        ("SUCCEEDED", False),
        ("paused by gremlins", False),
        ("succeeded", True),
        ("failed", True),
        ("cancelled", True),
    ],
)
def test_an_unknown_status_is_preserved_and_not_final(status: str, final: bool) -> None:
    execution = ToolExecution.from_wire(
        {"toolExecutionId": "x", "status": status, "toolType": "MAKE_COFFEE", "n": 1}
    )

    assert (execution.status, execution.is_terminal, execution.tool_type) == (status, final, "MAKE_COFFEE")
    assert execution.raw["n"] == 1


@pytest.mark.parametrize("results", [None, [], {}, "none", 7, [None, "x", {}, {"type": "IMAGE"}]])
def test_invalid_results_are_skipped(results: Any) -> None:
    data = {"toolExecutionId": "x", "status": "succeeded", "results": results}

    assert ToolExecution.from_wire(data).results == ()


@pytest.mark.parametrize(
    ("reported", "progress"),
    [
        (0, 0),
        (42.5, 42.5),
        (100, 100),
        (-1, None),
        (100.1, None),
        ("abc", None),
        ("42", None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        (10**400, None),
        ([42], None),
        (None, None),
    ],
)
def test_progress_is_a_percentage_or_unknown(reported: Any, progress: float | None) -> None:
    data = {"toolExecutionId": "x", "status": "running", "progressPercentage": reported}

    assert ToolExecution.from_wire(data).progress == progress


@pytest.mark.parametrize(
    ("reported", "attempt"), [(0, 0), (2, 2), (2.0, 2), (2.5, None), (-1, None), (True, None)]
)
def test_an_attempt_is_a_whole_number_or_unknown(reported: Any, attempt: int | None) -> None:
    data = {"toolExecutionId": "x", "status": "running", "attemptIndex": reported}

    assert ToolExecution.from_wire(data).attempt == attempt


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        "x",
        7,
        {},
        {"status": "running"},
        {"toolExecutionId": "x"},
        {"toolExecutionId": "x", "status": ""},
        {"toolExecutionId": 7, "status": "running"},
        {"toolExecutionId": "x", "status": "s" * 65},
    ],
)
def test_an_invalid_execution_is_rejected(data: Any) -> None:
    with pytest.raises(MalformedResponse):
        ToolExecution.from_wire(data)


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (None, None),
        ({}, None),
        ([], None),
        (7, None),
        ("", None),
        ("Broken.", ApiError("Broken.")),
        ({"message": "Broken."}, ApiError("Broken.")),
        ({"code": "x"}, ApiError("VideoGen gave no reason.", code="x")),
        (
            {"message": 7, "code": 7, "requirement": 7, "internalErrorCode": 7},
            ApiError("VideoGen gave no reason."),
        ),
        (
            {"message": "M", "requirement": {"type": "upgrade_plan"}},
            ApiError("M", None, {"type": "upgrade_plan"}),
        ),
    ],
)
def test_the_error_of_an_execution_is_read_in_any_shape(reported: Any, expected: ApiError | None) -> None:
    assert ApiError.from_wire(reported) == expected


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        (1779962400, NOW),
        (1779962400.0, NOW),
        ("2026-05-28T10:00:00Z", NOW),
        ("2026-05-28T12:00:00.000+02:00", NOW),
        ("2026-05-28T10:00:00", NOW),
        ("yesterday", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("1" * 1000, None),
        (1e300, None),
        (10**400, None),
        (-1, None),
        (0, None),
        (1779962400000, None),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        (None, None),
        ([1779962400], None),
    ],
)
def test_implausible_timestamps_are_unknown(reported: Any, expected: datetime | None) -> None:
    assert wire_fields.timestamp(reported) == expected


def test_values_that_a_database_rejects_are_replaced() -> None:
    text = b'{"a": NaN, "b": 1e999, "c": "\\u0000x\\ud800y", "d": %s, "\\u0000": -Infinity}' % (b"9" * 99)

    data = decode(text)

    assert data == {"a": None, "b": None, "c": "\ufffdx\ufffdy", "d": None, "\ufffd": None}
    json.dumps(data, allow_nan=False).encode()


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"{", b"[" * 100_000, b"[" * 65 + b"]" * 65, b"9" * 9999, b"\xef\xbb\xbf{}"]
)
def test_invalid_json_is_rejected(text: bytes) -> None:
    with pytest.raises(InvalidJson):
        decode(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from(
    [
        "toolExecutionId",
        "status",
        "toolType",
        "progressPercentage",
        "attemptIndex",
        "results",
        "error",
        "fileId",
        "storageFileId",
        "type",
        "file",
        "downloadUrl",
        "downloadUrlExpiresAt",
        "thumbnailSource",
        "downloadSource",
        "hlsSource",
        "url",
        "expiresAt",
        "width",
        "fileBytes",
        "message",
        "code",
        "requirement",
        "internalErrorCode",
        "transcript",
        "transcriptText",
        "words",
        "word",
        "durationSeconds",
        "event",
        "occurredAt",
        "files",
        "toolExecutions",
        "hasMore",
        "nextCursor",
        "voiceId",
        "endpointId",
        "signingSecret",
        "events",
        "createdAt",
        "fileAnalysisMetadata",
    ]
)
LIKELY = st.sampled_from(
    ["succeeded", "vg_file_1", "https://m.example/a", "IMAGE", "2026-05-28T10:00:00Z", 1779962400]
)
SHAPED = st.recursive(
    JSON | LIKELY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=12),
    max_leaves=25,
)


# One drawn value is read as every kind: drawing costs far more than reading.
@given(data=SHAPED)
def test_any_json_is_parsed_or_rejected(data: Any) -> None:
    for kind in READERS.keys() - {"event"}:
        rejected = ""
        try:
            found = READERS[kind](data)
        except MalformedResponse as error:
            rejected = error.message

        assert rejected.startswith("VideoGen's response") if rejected else repr(found), kind


@given(data=SHAPED)
def test_any_decoded_value_can_be_stored(data: Any) -> None:
    stored = json.dumps(decode(json.dumps(data).encode()), allow_nan=False, ensure_ascii=False).encode()

    assert b"\\u0000" not in stored


@given(text=st.binary() | SHAPED.map(lambda data: json.dumps(data).encode()).map(lambda text: text[:-1]))
def test_any_bytes_are_decoded_or_rejected(text: bytes) -> None:
    rejected = ""
    try:
        decode(text)
    except InvalidJson as error:
        rejected = str(error)

    assert rejected in ("", "is not JSON", "is not UTF-8 text", "is nested too deeply")
