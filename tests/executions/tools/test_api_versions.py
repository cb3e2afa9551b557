"""Requests use the parameter names of the configured API version, and no parameter of a later one
(docs/api-notes.md#api-versions)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from executions import tools
from executions.tools import TOOLS
from executions.tools.api_versions import API_VERSIONS, to_wire, within
from tests.conftest import READY, ROOT, SandboxProcess
from tests.factories.tool_inputs import all_inputs
from tests.waiting import PROCESS_DEADLINE

COMMON = {"numResults", "isOutputTemporary"}
VISUAL = {"watermarkMode"}
SPEECH = {"ttsText", "voiceId", "speechLanguageCode", "voiceSpeed", "pronunciationReplacements"}
CLIP = {"prompt", "imageFileIds", "generateAudio", "aspectRatio"}
V1_1_CLIP = {"videoFileIds", "audioFileIds", "durationSeconds", "quality"}
V2_CLIP = {"startFrameFileId", "spokenDialogue", "voiceDescription", "suppressBackgroundMusic"}
IMAGE_SOURCES = ("vectorize-image", "remove-image-background", "upscale-image")
VIDEO_SOURCES = ("remove-video-background", "upscale-video")

# API version -> tool -> its parameters besides the common ones. From the API notes, not from the catalogue.
DOCUMENTED: dict[str, dict[str, set[str]]] = {
    "0.0": {
        "generate-image": {"prompt", "imageFileIds", "aspectRatio"} | VISUAL,
        "generate-video-clip": CLIP | {"videoFileId"} | VISUAL,
        "text-to-speech": SPEECH | {"autoExpandPronunciationReplacements"},
        "generate-sound-effect": {"prompt", "durationSeconds", "promptInfluence"},
        "generate-avatar": {"avatarPresenterId", "audioStorageFileId"} | VISUAL,
        **{slug: {"imageStorageFileId"} | VISUAL for slug in IMAGE_SOURCES},
        **{slug: {"videoStorageFileId"} | VISUAL for slug in VIDEO_SOURCES},
    }
}
DOCUMENTED["1.1"] = DOCUMENTED["0.0"] | {
    "generate-image": DOCUMENTED["0.0"]["generate-image"] | {"quality"},
    "generate-video-clip": CLIP | V1_1_CLIP | VISUAL,
    "generate-music": {"prompt"},
    "image-3d-effect": {"imageStorageFileId"} | VISUAL,
}
DOCUMENTED["2"] = DOCUMENTED["1.1"] | {
    "generate-image": DOCUMENTED["1.1"]["generate-image"] | {"contentPolicyConfig", "entityIds"},
    "generate-video-clip": CLIP | V1_1_CLIP | V2_CLIP | {"contentPolicyConfig"} | VISUAL,
    "generate-avatar": {"actorEntityId", "audioFileId", "avatarQuality"} | VISUAL,
    **{slug: {"imageFileId"} | VISUAL for slug in (*IMAGE_SOURCES, "image-3d-effect")},
    **{slug: {"videoFileId"} | VISUAL for slug in VIDEO_SOURCES},
    "generate-motion-graphic": {"prompt", "fileIds", "durationSeconds", "aspectRatio", "entityIds"}
    | {"transparentBackground", "subToolModes"},
}
CASES = [(slug, api_version) for api_version in API_VERSIONS for slug in DOCUMENTED[api_version]]


def documented(slug: str, api_version: str) -> set[str]:
    return DOCUMENTED[api_version][slug] | COMMON | ({"hideFromUi"} if api_version == "2" else set())


def test_each_version_has_the_documented_tools() -> None:
    for api_version in API_VERSIONS:
        assert {slug for slug, tool in TOOLS.items() if tool.is_in(api_version)} == set(
            DOCUMENTED[api_version]
        )


@pytest.mark.parametrize(("slug", "api_version"), CASES)
def test_a_full_form_is_sent_with_the_names_of_its_version(slug: str, api_version: str) -> None:
    here = TOOLS[slug].for_api_version(api_version)

    wire = to_wire(slug, here.body(all_inputs(here)), api_version)

    assert set(wire) == documented(slug, api_version)


@pytest.mark.parametrize(("slug", "api_version"), CASES)
def test_fields_of_another_version_are_omitted_from_a_request(slug: str, api_version: str) -> None:
    """As for a queued job after the configured version changed, or a job that is edited and run again."""
    tool = TOOLS[slug]
    for other in API_VERSIONS:
        if tool.is_in(other):
            there = tool.for_api_version(other)
            wire = tool.request(there.body(all_inputs(there)), api_version)
            assert set(wire) <= documented(slug, api_version)


@pytest.mark.parametrize("api_version", API_VERSIONS)
def test_renamed_parameters_keep_their_values(api_version: str) -> None:
    old = api_version != "2"
    expected = {"imageStorageFileId" if old else "imageFileId": "vg_file_1"}
    assert to_wire("upscale-image", {"imageFileId": "vg_file_1"}, api_version) == expected
    expected = {"videoStorageFileId" if old else "videoFileId": "vg_file_1"}
    assert to_wire("upscale-video", {"videoFileId": "vg_file_1"}, api_version) == expected
    expected = {"audioStorageFileId" if old else "audioFileId": "vg_file_1"}
    assert to_wire("generate-avatar", {"audioFileId": "vg_file_1"}, api_version) == expected


def test_the_first_version_takes_a_single_source_video() -> None:
    body = {"videoFileIds": ["vg_file_1"], "imageFileIds": ["vg_file_2"]}

    assert to_wire("generate-video-clip", body, "0.0") == {
        "videoFileId": "vg_file_1",
        "imageFileIds": ["vg_file_2"],
    }
    assert to_wire("generate-video-clip", body, "1.1") == body


def test_the_given_body_is_not_changed() -> None:
    body = {"imageFileId": "vg_file_1"}

    to_wire("upscale-image", body, "0.0")

    assert body == {"imageFileId": "vg_file_1"}


@pytest.mark.parametrize(
    ("since", "until", "versions"),
    [
        ("", "", ["0.0", "1.1", "2"]),
        ("1.1", "", ["1.1", "2"]),
        ("", "1.1", ["0.0", "1.1"]),
        ("1.1", "1.1", ["1.1"]),
    ],
)
def test_a_field_exists_between_its_first_and_last_version(
    since: str, until: str, versions: list[str]
) -> None:
    assert [api_version for api_version in API_VERSIONS if within(api_version, since, until)] == versions


def test_version_1_1_requires_a_quality_and_a_voice() -> None:
    image = TOOLS["generate-image"].for_api_version("1.1")
    speech = TOOLS["text-to-speech"].for_api_version("1.1")

    assert image.body({"quality": "STANDARD"}) == {"quality": "STANDARD"}
    assert next(field for field in speech.fields if field.name == "voiceId").required
    assert not next(
        f for f in TOOLS["text-to-speech"].for_api_version("0.0").fields if f.name == "voiceId"
    ).required


def test_the_configured_version_decides_which_tools_are_available(settings: Any) -> None:
    for api_version in API_VERSIONS:
        settings.VIDEOGEN_API_ERA = api_version
        assert set(tools.available()) == set(DOCUMENTED[api_version])


# --- a service that accepts one version and rejects the rest ----------------------------------------------------


@pytest.fixture(scope="module", params=API_VERSIONS)
def strict(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, SandboxProcess]]:
    key, api_version = "tests-only-key", request.param
    folder = tmp_path_factory.mktemp("strict")
    options = [
        "--api-version",
        api_version,
        "--strict-api-version",
        "--with-parent",
        "--data-dir",
        str(folder),
    ]
    command = [sys.executable, "-m", "sandbox", "--port", "0", "--api-key", key, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VIDEOGEN")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
    assert process.stdout is not None
    yield api_version, SandboxProcess(process.stdout.readline().removeprefix(READY).strip(), key)
    process.terminate()
    process.wait(PROCESS_DEADLINE)
    process.stdout.close()


def test_a_service_of_one_version_accepts_its_requests(strict: tuple[str, SandboxProcess]) -> None:
    api_version, service = strict
    for slug in DOCUMENTED[api_version]:
        here = TOOLS[slug].for_api_version(api_version)
        body = here.request(here.body(all_inputs(here) | {"numResults": 2}), api_version)

        answer = service.call("POST", f"/v1/tools/{slug}", body)

        # The files and voices are made up, so they may be rejected; the parameter names may not.
        assert answer.status_code in (202, 400, 403, 404), answer.text
        assert "is not a parameter of API version" not in answer.text
        assert "is required" not in answer.text


def test_a_service_of_one_version_rejects_other_parameters(strict: tuple[str, SandboxProcess]) -> None:
    api_version, service = strict
    wrong = {"0.0": {"quality": "HIGH"}, "1.1": {"quality": "HIGH", "hideFromUi": True}, "2": {}}[api_version]

    answer: httpx.Response = service.call("POST", "/v1/tools/generate-image", {"prompt": "x", **wrong})

    assert (answer.status_code == 400) == bool(wrong)
    assert ("is not a parameter of API version" in answer.text) == bool(wrong)
