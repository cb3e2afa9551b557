"""Processing of uploads: type, renditions, events and failures."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.sandbox.media import film, hydrate, png, reserve, upload, wav
from tests.sandbox.process import SandboxServer
from tests.waiting import eventually


def events_of(events: list[dict[str, Any]], file_id: str) -> list[dict[str, Any]]:
    return [event for event in events if event["fileId"] == file_id]


def test_image_upload_from_creation_to_use(sandbox: SandboxServer) -> None:
    file_id, url = reserve(sandbox)
    created = sandbox.client.get(f"/v1/files/{file_id}").json()
    assert (created["type"], created["downloadSource"]["status"]) == (None, "pending")
    assert file_id not in [file["fileId"] for file in sandbox.client.get("/v1/files").json()["files"]]
    content = png()
    assert httpx.put(url, content=content, headers={"Content-Type": "image/png"}).status_code == 200
    file = sandbox.wait_for_file(file_id)
    assert (file["type"], file["scope"], file["displayName"]) == ("IMAGE", "GLOBAL", "beach at dawn.png")
    assert "sourceToolType" not in file
    assert httpx.get(file["downloadSource"]["url"]).content == content
    thumb = Image.open(io.BytesIO(httpx.get(file["thumbnailSource"]["url"]).content))
    assert thumb.size == (384, 216)
    assert sandbox.client.get("/v1/files").json()["files"][0]["fileId"] == file_id
    execution = sandbox.make(prompt="the same at night", imageFileIds=[file_id])
    assert execution["results"]


def test_video_gets_a_preview_and_a_stream(sandbox: SandboxServer) -> None:
    file = sandbox.wait_for_file(upload(sandbox, film(5, (1920, 1080)), "walk.mp4", type="VIDEO"))
    assert file["type"] == "VIDEO"
    assert file["durationSeconds"] == pytest.approx(5, abs=0.2)
    assert (file["downloadSource"]["width"], file["previewSource"]["width"]) == (1920, 1280)
    with av.open(file["hlsSource"]["url"]) as stream:
        assert sum(1 for _ in stream.decode(video=0)) == 60


def test_audio_gets_a_preview_a_stream_and_later_a_transcript(sandbox: SandboxServer) -> None:
    file_id = upload(sandbox, wav(2.0), "note.wav")
    file = sandbox.wait_for_file(file_id)
    assert (file["type"], file["durationSeconds"]) == ("AUDIO", 2.0)
    with av.open(file["hlsSource"]["url"]) as stream:
        assert stream.streams.audio[0].codec_context.name == "aac"
    analysed = eventually(
        lambda: sandbox.client.get(f"/v1/files/{file_id}").json(), lambda seen: seen["description"]
    )
    assert "note.wav" in analysed["transcript"]
    assert analysed["fileAnalysisMetadata"]["analysisLoadingState"] == "FULFILLED"


@pytest.mark.parametrize(
    ("name", "content", "kind", "content_type"),
    [
        ("clip.webm", lambda: film(1, kind="webm"), "VIDEO", "video/webm"),
        (
            "drawing.svg",
            lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
            "IMAGE",
            "image/svg+xml",
        ),
        ("paper.pdf", lambda: b"%PDF-1.4\n%%EOF\n", "PDF", "application/pdf"),
        ("notes.txt", lambda: "Grüße\n".encode(), "TEXT", "text/plain; charset=utf-8"),
        ("dance.json", lambda: b'{"v": "5.5", "fr": 30, "layers": []}', "LOTTIE", "application/json"),
        ("no suffix", png, "IMAGE", "image/png"),
    ],
)
def test_type_is_detected_from_the_bytes(
    sandbox: SandboxServer, name: str, content: Callable[[], bytes], kind: str, content_type: str
) -> None:
    file = sandbox.wait_for_file(upload(sandbox, content(), name))
    assert file["type"] == kind
    served = httpx.get(file["downloadSource"]["url"])
    assert served.headers["content-type"] == content_type
    assert served.headers["content-security-policy"].endswith("sandbox")


@pytest.mark.parametrize(
    ("name", "content", "declared", "message"),
    [
        (
            "page.png",
            b"<html><script>alert(1)</script></html>",
            None,
            "The uploaded bytes are TEXT, not IMAGE.",
        ),
        ("song.wav", png(), None, "The uploaded bytes are IMAGE, not AUDIO."),
        ("song", png(), "AUDIO", "The uploaded bytes are IMAGE, not AUDIO."),
        ("noise.bin", bytes(range(256)) * 40, None, "The uploaded bytes are not a supported media format."),
        ("half.png", png(900, 900)[:700], None, "The uploaded bytes are not a supported media format."),
    ],
)
def test_unusable_bytes_fail_with_a_reason(
    sandbox: SandboxServer,
    inbox: Callable[..., Callable[[], list[dict[str, Any]]]],
    name: str,
    content: bytes,
    declared: str | None,
    message: str,
) -> None:
    events = inbox("file.upload.failed", "file.upload.completed", "file.download_ready")
    file_id = upload(sandbox, content, name, type=declared)
    file = sandbox.wait_for_file(file_id)
    for source in ("downloadSource", "previewSource", "thumbnailSource", "hlsSource"):
        assert (file[source]["status"], file[source]["url"]) == ("failed", None)
    (event,) = eventually(lambda: events_of(events(), file_id), bool)
    assert event["event"] == "file.upload.failed"
    assert event["error"]["message"] == message
    rejected = sandbox.client.post(
        "/v1/tools/generate-image", json={"prompt": "x", "imageFileIds": [file_id]}
    )
    assert rejected.status_code == 400


def test_successful_upload_sends_events_with_signed_urls(
    sandbox: SandboxServer, inbox: Callable[..., Callable[[], list[dict[str, Any]]]]
) -> None:
    names = (
        "file.upload.completed",
        "file.download_ready",
        "file.playback_ready",
        "file.analysis_completed",
    )
    events = inbox(*names)
    file_id = upload(sandbox, wav(), "note.wav")
    received = eventually(lambda: events_of(events(), file_id), lambda seen: len(seen) == 4)
    assert {event["event"] for event in received} == set(names)
    for event in received:
        assert httpx.get(event["file"]["downloadSource"]["url"]).status_code == 200


def test_a_temporary_upload_is_never_analysed(sandbox: SandboxServer) -> None:
    file = sandbox.wait_for_file(upload(sandbox, png(), isTemporary=True))
    assert file["scope"] == "TEMPORARY"
    assert file["fileAnalysisMetadata"]["analysisLoadingState"] == "UNATTEMPTED"


def test_provided_transcript_is_stored(sandbox: SandboxServer) -> None:
    words = [{"word": "Good", "startSeconds": 0, "endSeconds": 0.4}]
    words.append({"word": "morning", "startSeconds": 0.4, "endSeconds": 1})
    file = sandbox.wait_for_file(upload(sandbox, wav(), "note.wav", transcript={"words": words}))
    assert file["transcript"] == "Good morning"


def test_upload_fault_can_fail_or_delay_processing(sandbox: SandboxServer) -> None:
    sandbox.set_faults(
        {"kind": "upload", "match": "slow*", "seconds": 60}, {"kind": "upload", "match": "bad*", "fail": ""}
    )
    slow = [upload(sandbox, png(), f"slow {number}.png") for number in range(3)]
    bad = upload(sandbox, png(), "bad.png")
    assert sandbox.wait_for_file(bad)["downloadSource"]["status"] == "failed"
    assert {hydrate(sandbox, each)["downloadSource"]["status"] for each in slow} == {"pending"}


def test_analysis_fault_can_fail_an_analysis(
    sandbox: SandboxServer, inbox: Callable[..., Callable[[], list[dict[str, Any]]]]
) -> None:
    events = inbox("file.analysis_failed")
    sandbox.client.post("/sandbox/faults", json={"faults": [{"kind": "analysis", "fail": "Too dull."}]})
    file_id = upload(sandbox, png())
    (event,) = eventually(lambda: events_of(events(), file_id), bool)
    assert event["error"]["message"] == "Too dull."
    seen = sandbox.wait_for_file(file_id)
    assert (seen["description"], seen["downloadSource"]["status"]) == (None, "ready")
    assert seen["fileAnalysisMetadata"]["analysisLoadingState"] == "REJECTED"


def test_crash_before_processing_loses_nothing(launch: Callable[..., SandboxServer], tmp_path) -> None:
    first = launch("--data-dir", str(tmp_path))
    first.set_faults({"kind": "upload", "seconds": 60})
    file_id = upload(first, png())
    first.kill()
    second = launch("--data-dir", str(tmp_path), "--speed", "20")
    assert second.wait_for_file(file_id)["type"] == "IMAGE"


def test_names_never_become_paths(sandbox: SandboxServer) -> None:
    for name in ("../../etc/passwd.png", 'a"b\r\nX: y.png', "ü" * 120 + ".png", "/.png"):
        file = sandbox.wait_for_file(upload(sandbox, png(), name))
        assert file["displayName"] == name
        assert httpx.get(file["downloadSource"]["url"]).status_code == 200
