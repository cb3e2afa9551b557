"""Parsing files: URLs and their expiry, transcripts, readiness, public previews."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from executions.videogen import FileSource, RemoteFile, ToolExecution, ToolResult

NOW = datetime.fromtimestamp(1779962400, UTC)


def test_the_old_name_of_a_file() -> None:
    old = {"storageFileId": "vg_file_old", "type": "IMAGE"}

    assert RemoteFile.from_wire(old).file_id == "vg_file_old"
    assert ToolResult.from_wire(old).file_id == "vg_file_old"
    assert ToolResult.from_wire({"file": old}).file_id == "vg_file_old"
    assert ToolResult.from_wire({"file": old}).type == "IMAGE"


@pytest.mark.parametrize(
    ("reported", "transcript"),
    [
        ({}, ""),
        ({"transcript": None, "transcriptText": None}, ""),
        ({"transcript": "Old text."}, "Old text."),
        ({"transcript": "Old text.", "transcriptText": "New text."}, "New text."),
        (
            {"transcript": {"words": [{"word": "Good"}, {}, 7, {"word": 1}, {"word": "morning."}]}},
            "Good morning.",
        ),
        ({"transcript": {"words": "Good"}}, ""),
        ({"transcript": 7}, ""),
    ],
)
def test_a_transcript_is_read_from_text_or_words(reported: dict[str, Any], transcript: str) -> None:
    assert RemoteFile.from_wire({"fileId": "x"} | reported).transcript == transcript


def test_a_flat_url_replaces_a_missing_source() -> None:
    flat = {"fileId": "x", "downloadUrl": "https://m.example/a.png", "downloadUrlExpiresAt": 1779966000}
    expected = FileSource("ready", "https://m.example/a.png", datetime.fromtimestamp(1779966000, UTC))

    assert RemoteFile.from_wire(flat).download == expected
    assert ToolResult.from_wire(flat).download == expected
    assert ToolResult.from_wire({"fileId": "x", "file": flat}).download == expected
    unsigned = flat | {"downloadSource": {"status": "ready", "url": None, "width": 640}}
    source = RemoteFile.from_wire(unsigned).download
    assert source is not None
    assert (source.url, source.width) == ("https://m.example/a.png", 640)


def test_a_source_has_priority_over_a_flat_url() -> None:
    data = {
        "fileId": "x",
        "downloadUrl": "https://m.example/flat",
        "downloadSource": {"url": "https://m.example/source"},
    }
    source = RemoteFile.from_wire(data).download

    assert source is not None
    assert source.url == "https://m.example/source"


def in_seconds(seconds: float) -> float:
    return (NOW + timedelta(seconds=seconds)).timestamp()


@pytest.mark.parametrize(
    ("reported", "usable"),
    [
        ({"status": "ready", "expiresAt": None}, True),
        ({"status": "ready"}, True),
        ({"status": "ready", "expiresAt": in_seconds(61)}, True),
        ({"status": "ready", "expiresAt": in_seconds(61.5)}, True),
        ({"status": "ready", "expiresAt": in_seconds(60)}, False),
        ({"status": "ready", "expiresAt": in_seconds(-1)}, False),
        ({"status": "ready", "expiresAt": "2126-05-28T10:00:00Z"}, True),
        ({"status": "ready", "expiresAt": "soon"}, False),
        ({"status": "ready", "expiresAt": True}, False),
        ({"status": "ready", "expiresAt": float("nan")}, False),
        ({"status": "ready", "expiresAt": 1779966000000}, False),
        ({"status": "pending", "expiresAt": None}, False),
        ({"status": "failed"}, False),
        ({"status": "skipped"}, False),
        ({"status": "brand new"}, False),
        ({}, False),
    ],
)
def test_when_a_url_is_usable(reported: dict[str, Any], usable: bool) -> None:
    url = "https://m.example/a.png"
    source = FileSource.from_wire(reported | {"url": url})

    assert source is not None
    assert source.usable_url(NOW) == (url if usable else None)


def test_the_margin_of_a_usable_url() -> None:
    source = FileSource("ready", "https://m.example/a.png", NOW + timedelta(seconds=10))

    assert source.usable_url(NOW) is None
    assert source.usable_url(NOW, margin=5) == "https://m.example/a.png"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        7,
        "javascript:alert(1)",
        "data:text/html,x",
        "//m.example/a",
        "/a",
        "https://a b",
        "https://a\nb",
        "https://a/" + "x" * 9000,
        "file:///etc/passwd",
    ],
)
def test_other_url_schemes_count_as_missing(url: Any) -> None:
    source = FileSource.from_wire({"status": "ready", "url": url})

    assert source is not None
    assert source.usable_url(NOW) is None
    assert RemoteFile.from_wire({"fileId": "x", "publicHlsUrl": url}).public_hls_url is None


@pytest.mark.parametrize(
    ("statuses", "ready", "failed"),
    [
        ([], False, False),
        (["pending", "failed"], False, True),
        (["failed", "failed"], False, True),
        (["failed", "ready"], True, False),
        (["pending", "ready"], True, False),
        (["skipped", "pending"], False, False),
    ],
)
def test_when_a_file_is_ready_or_failed(statuses: list[str], ready: bool, failed: bool) -> None:
    names = ["thumbnailSource", "hlsSource"]
    sources = {name: {"status": status} for name, status in zip(names, statuses, strict=False)}
    file = RemoteFile.from_wire({"fileId": "x"} | sources)

    assert (file.is_ready, file.is_failed) == (ready, failed)


def test_a_public_preview_is_parsed_and_never_expires(example: Callable[[str], Any]) -> None:
    file = RemoteFile.from_wire(example("file-public-preview"))

    assert file.is_public_preview_enabled
    assert file.public_preview is not None
    assert file.public_preview.usable_url(NOW + timedelta(days=9999)) is not None
    assert file.public_playback_id == "vg_play_dFA1bllrN1F3WnIy"
    assert (file.analysis_state, file.analysis_progress) == ("LOADING", 35)


def test_signed_urls_are_not_in_repr(example: Callable[[str], Any]) -> None:
    assert "sig=" not in repr(ToolExecution.from_wire(example("execution-succeeded-api-version-2")))
