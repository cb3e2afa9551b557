"""Starting jobs: results of images and speech, and validation of inputs."""

from __future__ import annotations

import io
import json
import wave

import httpx
import pytest
from PIL import Image

from tests.sandbox.process import SandboxServer

TOOLS = "/v1/tools"


def test_image_has_the_requested_aspect_ratio(sandbox: SandboxServer) -> None:
    execution = sandbox.make(prompt="a calm sea at sunset", aspectRatio={"width": 3, "height": 4})
    (result,) = execution["results"]
    source = result["file"]["downloadSource"]
    picture = Image.open(io.BytesIO(httpx.get(source["url"]).content))
    assert picture.format == "PNG"
    assert picture.size == (960, 1280) == (source["width"], source["height"])
    assert result["type"] == "IMAGE"
    assert result["file"]["sourceToolType"] == "GENERATE_IMAGE"
    assert result["file"]["hlsSource"] is None


def test_images_depend_on_the_prompt_and_are_reproducible(sandbox: SandboxServer) -> None:
    def average(prompt: str) -> tuple[int, ...]:
        (result,) = sandbox.make(prompt=prompt)["results"]
        content = httpx.get(result["file"]["thumbnailSource"]["url"]).content
        colour = Image.open(io.BytesIO(content)).convert("RGB").resize((1, 1)).getpixel((0, 0))
        assert isinstance(colour, tuple)
        return colour

    night, day = average("a city at night"), average("a beach on a sunny day")
    assert sum(abs(one - other) for one, other in zip(night, day, strict=True)) > 90
    assert average("a city at night") == night


def test_number_of_results_and_their_difference(sandbox: SandboxServer) -> None:
    results = sandbox.make(prompt="three hills", numResults=3)["results"]
    contents = {httpx.get(result["file"]["thumbnailSource"]["url"]).content for result in results}
    assert len(results) == len(contents) == 3


def test_speech_has_audio_and_transcript(sandbox: SandboxServer) -> None:
    voice = sandbox.client.get("/v1/resources/tts-voices").json()["ttsVoices"][0]["voiceId"]
    (result,) = sandbox.make("text-to-speech", ttsText="Good morning to all of you.", voiceId=voice)[
        "results"
    ]
    file = result["file"]
    with wave.open(io.BytesIO(httpx.get(file["downloadSource"]["url"]).content)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
    assert file["durationSeconds"] == pytest.approx(seconds, abs=0.01)
    assert 1 < seconds < 4
    assert file["transcript"] == file["transcriptText"] == "Good morning to all of you."
    assert file["thumbnailSource"]["status"] == "skipped"
    preview = httpx.get(file["previewSource"]["url"])
    assert preview.headers["content-type"] == "audio/mpeg"
    assert preview.content[:3] == b"ID3"


def test_speed_and_replacements_change_the_duration(sandbox: SandboxServer) -> None:
    def seconds(**more: object) -> float:
        execution = sandbox.make("text-to-speech", ttsText="We love SQL at 5 %", **more)
        return execution["results"][0]["file"]["durationSeconds"]

    normal = seconds()
    assert seconds(voiceSpeed=2) < normal * 0.75
    long = [{"original": "SQL", "replacement": "the structured query language of many databases"}]
    assert seconds(pronunciationReplacements=long) > normal + 0.8


def test_a_temporary_output_has_its_scope(sandbox: SandboxServer) -> None:
    execution = sandbox.make("text-to-speech", ttsText="Soon gone.", isOutputTemporary=True)
    assert execution["results"][0]["file"]["scope"] == "TEMPORARY"


@pytest.mark.parametrize(
    ("tool", "body", "field"),
    [
        ("generate-image", {}, "prompt"),
        ("generate-image", {"prompt": None}, "prompt"),
        ("generate-image", {"prompt": ""}, "prompt"),
        ("generate-image", {"prompt": 7}, "prompt"),
        ("generate-image", {"prompt": "x", "numResults": 0}, "numResults"),
        ("generate-image", {"prompt": "x", "numResults": 101}, "numResults"),
        ("generate-image", {"prompt": "x", "numResults": 1.5}, "numResults"),
        ("generate-image", {"prompt": "x", "numResults": True}, "numResults"),
        ("generate-image", {"prompt": "x", "aspectRatio": {"width": 16}}, "aspectRatio"),
        ("generate-image", {"prompt": "x", "aspectRatio": "16:9"}, "aspectRatio"),
        ("generate-image", {"prompt": "x", "quality": "BEST"}, "quality"),
        ("generate-image", {"prompt": "x", "watermarkMode": "none"}, "watermarkMode"),
        ("generate-image", {"prompt": "x", "isOutputTemporary": "yes"}, "isOutputTemporary"),
        ("generate-image", {"prompt": "x", "imageFileIds": ["vg_file_a"] * 5}, "imageFileIds"),
        ("text-to-speech", {}, "ttsText"),
        ("text-to-speech", {"ttsText": "x", "voiceSpeed": 3}, "voiceSpeed"),
        ("text-to-speech", {"ttsText": "x", "pronunciationReplacements": [{}]}, "pronunciationReplacements"),
        ("text-to-speech", {"ttsText": "\ud800"}, "ttsText"),
    ],
)
def test_invalid_input_is_rejected_with_the_field_name(
    sandbox: SandboxServer, tool: str, body: dict[str, object], field: str
) -> None:
    # Not httpx's own JSON encoder, which cannot encode half of a surrogate pair.
    response = sandbox.client.post(f"{TOOLS}/{tool}", content=json.dumps(body))
    assert response.status_code == 400
    assert response.json()["code"] == "invalid_parameters"
    assert response.json()["message"].startswith(field)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_body_that_is_not_an_object_is_rejected(sandbox: SandboxServer, content: bytes) -> None:
    response = sandbox.client.post(f"{TOOLS}/generate-image", content=content)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")


def test_unknown_fields_are_ignored(sandbox: SandboxServer) -> None:
    response = sandbox.client.post(f"{TOOLS}/text-to-speech", json={"ttsText": "hi", "colour": "red"})
    assert response.status_code == 202


def test_output_without_watermark_needs_an_add_on(sandbox: SandboxServer) -> None:
    response = sandbox.client.post(f"{TOOLS}/generate-image", json={"prompt": "x", "watermarkMode": "NONE"})
    assert response.status_code == 403
    assert response.json()["requirement"] == {
        "type": "purchase_add_on",
        "details": {"addOn": "production_api"},
    }


def test_file_inputs_are_validated(sandbox: SandboxServer) -> None:
    def status_and_code(file_id: str) -> tuple[int, str | None]:
        response = sandbox.client.post(
            f"{TOOLS}/generate-image", json={"prompt": "x", "imageFileIds": [file_id]}
        )
        return response.status_code, response.json().get("code")

    picture = sandbox.make(prompt="a reference")["results"][0]["fileId"]
    sound = sandbox.make("text-to-speech", ttsText="a reference")["results"][0]["fileId"]
    assert status_and_code("vg_voic_1") == (400, "invalid_id")
    assert status_and_code("vg_file_doesnotexist") == (404, None)
    assert status_and_code(sound) == (400, "invalid_parameters")
    assert status_and_code(picture) == (202, None)


def test_only_voices_that_support_tools_are_accepted(sandbox: SandboxServer) -> None:
    voices = sandbox.client.get("/v1/resources/tts-voices").json()["ttsVoices"]
    indirect = next(voice for voice in voices if not voice["supportsDirectToolExecution"])

    def status(voice_id: str) -> int:
        body = {"ttsText": "x", "voiceId": voice_id}
        return sandbox.client.post(f"{TOOLS}/text-to-speech", json=body).status_code

    assert status(indirect["voiceId"]) == 400
    assert status("vg_voic_missing") == 404
    assert status("vg_file_missing") == 400


def test_unknown_tool_is_not_found(sandbox: SandboxServer) -> None:
    response = sandbox.client.post(f"{TOOLS}/generate-hologram", json={"prompt": "x"})
    assert (response.status_code, response.json()["message"]) == (404, "Tool not found.")


@pytest.mark.parametrize(("prompt", "code"), [("a [fail] here", None), ("[fail:moderated] x", "moderated")])
def test_fail_marker_in_the_prompt_fails_the_job(
    sandbox: SandboxServer, prompt: str, code: str | None
) -> None:
    execution = sandbox.wait_until_final(sandbox.start(prompt=prompt))
    assert execution["status"] == "failed"
    assert execution["results"] == []
    assert execution["error"]["code"] == code
    assert execution["error"]["message"]
