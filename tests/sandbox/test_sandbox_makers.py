"""All tools over HTTP: each creates media of the right type and size, which are not blank or silent."""

from __future__ import annotations

import io
from typing import Any
from xml.etree import ElementTree

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from sandbox.tools import TOOLS
from tests.sandbox.process import SandboxServer

LIGHTHOUSE = "a red lighthouse on a cliff by the sea"


@pytest.fixture(scope="module")
def inputs(shared_sandbox: SandboxServer) -> dict[str, str]:
    """File ids of one image, one audio and one video as inputs."""
    shared_sandbox.client.delete("/sandbox/faults")
    small = {"width": 4, "height": 3}
    jobs = {
        "image": shared_sandbox.start(prompt=LIGHTHOUSE, quality="LOW", aspectRatio=small),
        "audio": shared_sandbox.start("text-to-speech", ttsText="One, two, three."),
        "video": shared_sandbox.start(
            "generate-video-clip", prompt="waves", durationSeconds=1, quality="LOW", generateAudio=True
        ),
    }
    return {
        name: shared_sandbox.wait_until_final(started)["results"][0]["fileId"]
        for name, started in jobs.items()
    }


def result(sandbox: SandboxServer, tool: str, **body: Any) -> dict[str, Any]:
    execution = sandbox.wait_until_final(sandbox.start(tool, **body))
    assert execution["status"] == "succeeded", execution
    return execution["results"][0]["file"]


def content(source: dict[str, Any]) -> io.BytesIO:
    response = httpx.get(source["url"])
    assert response.status_code == 200
    assert len(response.content) == source["fileBytes"]
    return io.BytesIO(response.content)


def frames(source: dict[str, Any]) -> list[np.ndarray]:
    with av.open(content(source)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def loudness(source: dict[str, Any]) -> float:
    """Root mean square of the samples, as a share of full scale."""
    with av.open(content(source)) as sound:
        resampler = av.AudioResampler(format="flt", layout="mono")
        parts = [
            each.to_ndarray().ravel() for frame in sound.decode(audio=0) for each in resampler.resample(frame)
        ]
    return float(np.sqrt(np.mean(np.concatenate(parts) ** 2)))


def movement(pictures: list[np.ndarray]) -> float:
    """How much the first and the middle picture differ, in levels of 255."""
    first, middle = pictures[0].astype(int), pictures[len(pictures) // 2].astype(int)
    return float(np.abs(first - middle).mean())


def check_video(file: dict[str, Any], seconds: float, *, alpha: bool = False) -> None:
    """Check that a video plays, moves, is not a single colour and has all renditions."""
    assert file["type"] == "VIDEO"
    assert file["durationSeconds"] == pytest.approx(seconds, abs=0.3)
    pictures = frames(file["downloadSource"])
    assert pictures[0].shape[:2] == (file["downloadSource"]["height"], file["downloadSource"]["width"])
    assert movement(pictures) > 0.2
    assert pictures[len(pictures) // 2].std() > 5
    assert frames(file["previewSource"])
    Image.open(content(file["thumbnailSource"])).verify()
    if alpha:
        assert file["hlsSource"]["status"] == "skipped"
        assert httpx.head(file["downloadSource"]["url"]).headers["content-type"] == "video/webm"
    else:
        with av.open(file["hlsSource"]["url"]) as stream:
            assert sum(1 for _ in stream.decode(video=0)) == len(pictures)


def opacities(source: dict[str, Any]) -> np.ndarray:
    """The alpha plane of the middle frame of a WebM video."""
    with av.open(content(source)) as film:
        decoder = av.CodecContext.create("libvpx-vp9", "r")
        found = [frame for packet in film.demux(video=0) for frame in decoder.decode(packet)]
    return found[len(found) // 2].to_ndarray(format="rgba")[..., 3]


def test_every_tool_of_the_contract_is_available() -> None:
    assert len(TOOLS) == 13


def test_clip_from_a_prompt_with_audio(sandbox: SandboxServer) -> None:
    file = result(
        sandbox,
        "generate-video-clip",
        prompt="rain over a city",
        durationSeconds=2,
        quality="LOW",
        generateAudio=True,
    )
    check_video(file, 2)
    assert loudness(file["downloadSource"]) > 0.005


@pytest.mark.parametrize(
    ("field", "kind", "many"),
    [
        ("imageFileIds", "image", True),
        ("videoFileId", "video", False),
        ("videoFileIds", "video", True),
        ("startFrameFileId", "image", False),
    ],
)
def test_a_clip_can_be_made_from_input_media(
    sandbox: SandboxServer, inputs: dict[str, str], field: str, kind: str, many: bool
) -> None:
    body = {field: [inputs[kind]] if many else inputs[kind]}
    check_video(result(sandbox, "generate-video-clip", durationSeconds=1, quality="LOW", **body), 1)


def test_clip_with_input_audio_has_that_audio(sandbox: SandboxServer, inputs: dict[str, str]) -> None:
    file = result(
        sandbox,
        "generate-video-clip",
        prompt="a hill",
        audioFileIds=[inputs["audio"]],
        durationSeconds=2,
        quality="LOW",
    )
    assert loudness(file["downloadSource"]) > 0.01


def test_sound_effects_have_the_requested_duration_and_differ(sandbox: SandboxServer) -> None:
    rain = result(sandbox, "generate-sound-effect", prompt="heavy rain", durationSeconds=3)
    bell = result(sandbox, "generate-sound-effect", prompt="a church bell", durationSeconds=3)
    assert (rain["type"], rain["durationSeconds"]) == ("AUDIO", 3.0)
    assert loudness(rain["downloadSource"]) > 0.02
    assert loudness(bell["previewSource"]) > 0.005
    assert content(rain["downloadSource"]).getvalue() != content(bell["downloadSource"]).getvalue()


def test_music_lasts_30_seconds(sandbox: SandboxServer) -> None:
    file = result(sandbox, "generate-music", prompt="calm piano")
    assert (file["type"], file["durationSeconds"]) == ("AUDIO", 30.0)
    assert loudness(file["previewSource"]) > 0.02


@pytest.mark.parametrize("api_version", ["1.1", "2"])
def test_avatar_speaks_the_input_audio(
    sandbox: SandboxServer, inputs: dict[str, str], api_version: str
) -> None:
    presenters = sandbox.client.get("/v1/resources/avatar-presenters").json()["avatarPresenters"]
    chosen = presenters[0]["avatarPresenterId"]
    body = (
        {"avatarPresenterId": chosen, "audioStorageFileId": inputs["audio"]}
        if api_version == "1.1"
        else {"actorEntityId": chosen.replace("vg_pres_", "vg_enti_"), "audioFileId": inputs["audio"]}
    )
    file = result(sandbox, "generate-avatar", **body)
    sound = sandbox.client.get(f"/v1/files/{inputs['audio']}").json()
    check_video(file, sound["durationSeconds"])
    assert loudness(file["downloadSource"]) > 0.01
    assert file["transcript"] == sound["transcript"]


@pytest.mark.parametrize("field", ["imageStorageFileId", "imageFileId"])
def test_vectorized_image_is_a_scalable_svg(
    sandbox: SandboxServer, inputs: dict[str, str], field: str
) -> None:
    file = result(sandbox, "vectorize-image", **{field: inputs["image"]})
    drawing = ElementTree.parse(content(file["downloadSource"])).getroot()
    assert file["type"] == "IMAGE"
    assert drawing.tag.endswith("svg")
    assert "viewBox" in drawing.attrib
    assert len(list(drawing)) > 5
    assert httpx.head(file["downloadSource"]["url"]).headers["content-type"] == "image/svg+xml"


def test_image_without_background_has_opaque_and_transparent_areas(
    sandbox: SandboxServer, inputs: dict[str, str]
) -> None:
    file = result(sandbox, "remove-image-background", imageStorageFileId=inputs["image"])
    alpha = np.asarray(Image.open(content(file["downloadSource"])).convert("RGBA"))[..., 3]
    assert 0.01 < (alpha > 200).mean() < 0.97
    assert (alpha < 50).mean() > 0.03


def test_video_without_background_has_opaque_and_transparent_areas(
    sandbox: SandboxServer, inputs: dict[str, str]
) -> None:
    file = result(sandbox, "remove-video-background", videoStorageFileId=inputs["video"])
    assert httpx.head(file["downloadSource"]["url"]).headers["content-type"] == "video/webm"
    alpha = opacities(file["downloadSource"])
    assert (alpha > 200).mean() > 0.005
    assert (alpha < 50).mean() > 0.03


def test_upscaling_at_least_doubles_an_image(sandbox: SandboxServer, inputs: dict[str, str]) -> None:
    before = sandbox.client.post(f"/v1/files/{inputs['image']}/hydrate").json()["downloadSource"]
    file = result(sandbox, "upscale-image", imageStorageFileId=inputs["image"])
    picture = Image.open(content(file["downloadSource"]))
    assert picture.width >= 2 * before["width"]
    assert picture.size == (file["downloadSource"]["width"], file["downloadSource"]["height"])


def test_upscaling_doubles_a_video_and_keeps_its_audio(
    sandbox: SandboxServer, inputs: dict[str, str]
) -> None:
    before = sandbox.client.post(f"/v1/files/{inputs['video']}/hydrate").json()
    file = result(sandbox, "upscale-video", videoFileId=inputs["video"])
    assert file["downloadSource"]["width"] == 2 * before["downloadSource"]["width"]
    check_video(file, before["durationSeconds"])
    assert loudness(file["downloadSource"]) == pytest.approx(loudness(before["downloadSource"]), rel=0.2)


def test_the_3d_effect_makes_a_moving_video(sandbox: SandboxServer, inputs: dict[str, str]) -> None:
    file = result(sandbox, "image-3d-effect", imageFileId=inputs["image"])
    check_video(file, file["durationSeconds"])


@pytest.mark.parametrize("transparent", [True, False])
def test_motion_graphic_can_be_transparent(sandbox: SandboxServer, transparent: bool) -> None:
    file = result(
        sandbox,
        "generate-motion-graphic",
        prompt="Welcome to the show",
        durationSeconds=2,
        transparentBackground=transparent,
    )
    check_video(file, 2, alpha=transparent)
    if transparent:
        alpha = opacities(file["downloadSource"])
        assert (alpha == 0).mean() > 0.3
        assert (alpha > 200).mean() > 0.002


def test_damaged_input_fails_the_job_with_an_error_code(sandbox: SandboxServer) -> None:
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg' width='4' height='4'></svg>"
    created = sandbox.client.post("/v1/files/upload", json={"displayName": "a.svg"}).json()
    assert httpx.put(created["uploadUrl"], content=drawing).status_code == 200
    file_id = created["fileId"]
    sandbox.wait_for_file(file_id)
    execution = sandbox.wait_until_final(sandbox.start("upscale-image", imageFileId=file_id))
    assert (execution["status"], execution["error"]["code"]) == ("failed", "unreadable_input")
