"""Starting jobs: what comes out of a picture and a line of speech, and what is refused."""

from __future__ import annotations

import io
import json
import wave

import httpx
import pytest
from PIL import Image

from tests.sandbox.running import Running

TOOLS = "/v1/tools"


def test_an_image_is_made_in_the_asked_ratio(sandbox: Running) -> None:
    ended = sandbox.make(prompt="a calm sea at sunset", aspectRatio={"width": 3, "height": 4})
    (result,) = ended["results"]
    source = result["file"]["downloadSource"]
    picture = Image.open(io.BytesIO(httpx.get(source["url"]).content))
    assert picture.format == "PNG"
    assert picture.size == (960, 1280) == (source["width"], source["height"])
    assert result["type"] == "IMAGE"
    assert result["file"]["sourceToolType"] == "GENERATE_IMAGE"
    assert result["file"]["hlsSource"] is None


def test_different_prompts_look_different_and_the_same_prompt_looks_the_same(sandbox: Running) -> None:
    def average(prompt: str) -> tuple[int, ...]:
        (result,) = sandbox.make(prompt=prompt)["results"]
        content = httpx.get(result["file"]["thumbnailSource"]["url"]).content
        colour = Image.open(io.BytesIO(content)).convert("RGB").resize((1, 1)).getpixel((0, 0))
        assert isinstance(colour, tuple)
        return colour

    night, day = average("a city at night"), average("a beach on a sunny day")
    assert sum(abs(one - other) for one, other in zip(night, day, strict=True)) > 90
    assert average("a city at night") == night


def test_alternatives_are_counted_and_differ(sandbox: Running) -> None:
    results = sandbox.make(prompt="three hills", numResults=3)["results"]
    contents = {httpx.get(result["file"]["thumbnailSource"]["url"]).content for result in results}
    assert len(results) == len(contents) == 3


def test_speech_is_made_and_transcribed(sandbox: Running) -> None:
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


def test_speed_and_replacements_are_heard(sandbox: Running) -> None:
    def seconds(**more: object) -> float:
        ended = sandbox.make("text-to-speech", ttsText="We love SQL at 5 %", **more)
        return ended["results"][0]["file"]["durationSeconds"]

    normal = seconds()
    assert seconds(voiceSpeed=2) < normal * 0.75
    long = [{"original": "SQL", "replacement": "the structured query language of many databases"}]
    assert seconds(pronunciationReplacements=long) > normal + 0.8


def test_a_temporary_output_has_its_scope(sandbox: Running) -> None:
    ended = sandbox.make("text-to-speech", ttsText="Soon gone.", isOutputTemporary=True)
    assert ended["results"][0]["file"]["scope"] == "TEMPORARY"


@pytest.mark.parametrize(
    ("tool", "body", "named"),
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
def test_a_wrong_input_is_refused_by_name(
    sandbox: Running, tool: str, body: dict[str, object], named: str
) -> None:
    # Not httpx's own JSON, which cannot write half a surrogate pair.
    answer = sandbox.client.post(f"{TOOLS}/{tool}", content=json.dumps(body))
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_parameters"
    assert answer.json()["message"].startswith(named)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(sandbox: Running, content: bytes) -> None:
    answer = sandbox.client.post(f"{TOOLS}/generate-image", content=content)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")


def test_unknown_fields_are_ignored(sandbox: Running) -> None:
    answer = sandbox.client.post(f"{TOOLS}/text-to-speech", json={"ttsText": "hi", "colour": "red"})
    assert answer.status_code == 202


def test_clean_output_needs_an_add_on(sandbox: Running) -> None:
    answer = sandbox.client.post(f"{TOOLS}/generate-image", json={"prompt": "x", "watermarkMode": "NONE"})
    assert answer.status_code == 403
    assert answer.json()["requirement"] == {
        "type": "purchase_add_on",
        "details": {"addOn": "production_api"},
    }


def test_file_inputs_are_checked(sandbox: Running) -> None:
    def answer(file_id: str) -> tuple[int, str | None]:
        got = sandbox.client.post(f"{TOOLS}/generate-image", json={"prompt": "x", "imageFileIds": [file_id]})
        return got.status_code, got.json().get("code")

    picture = sandbox.make(prompt="a reference")["results"][0]["fileId"]
    sound = sandbox.make("text-to-speech", ttsText="a reference")["results"][0]["fileId"]
    assert answer("vg_voic_1") == (400, "invalid_id")
    assert answer("vg_file_doesnotexist") == (404, None)
    assert answer(sound) == (400, "invalid_parameters")
    assert answer(picture) == (202, None)


def test_only_direct_voices_speak(sandbox: Running) -> None:
    voices = sandbox.client.get("/v1/resources/tts-voices").json()["ttsVoices"]
    indirect = next(voice for voice in voices if not voice["supportsDirectToolExecution"])

    def status(voice_id: str) -> int:
        body = {"ttsText": "x", "voiceId": voice_id}
        return sandbox.client.post(f"{TOOLS}/text-to-speech", json=body).status_code

    assert status(indirect["voiceId"]) == 400
    assert status("vg_voic_nobody") == 404
    assert status("vg_file_nobody") == 400


def test_an_unknown_tool_is_not_found(sandbox: Running) -> None:
    answer = sandbox.client.post(f"{TOOLS}/generate-hologram", json={"prompt": "x"})
    assert (answer.status_code, answer.json()["message"]) == (404, "Tool not found.")


@pytest.mark.parametrize(("prompt", "code"), [("a [fail] here", None), ("[fail:moderated] x", "moderated")])
def test_a_prompt_can_ask_to_fail(sandbox: Running, prompt: str, code: str | None) -> None:
    ended = sandbox.finished(sandbox.start(prompt=prompt))
    assert ended["status"] == "failed"
    assert ended["results"] == []
    assert ended["error"]["code"] == code
    assert ended["error"]["message"]
