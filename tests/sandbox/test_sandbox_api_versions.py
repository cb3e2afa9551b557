"""API versions: the superset has all names and fields, one version only its own; strict mode rejects other names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from sandbox.settings import API_VERSIONS
from tests.sandbox.process import SandboxServer
from tests.waiting import eventually

NEWER = {
    "1.0": {"progressPercentage", "attemptIndex"},
    "2": {"results", "error"},
}


@pytest.fixture(scope="module")
def strict() -> Iterator[dict[str, SandboxServer]]:
    """A sandbox in strict mode for each API version."""
    running = {
        api_version: SandboxServer("--speed", "50", "--strict-api-version", api_version)
        for api_version in API_VERSIONS
    }
    yield running
    for each in running.values():
        each.stop()


def at_least(api_version: str, since: str) -> bool:
    return API_VERSIONS.index(api_version) >= API_VERSIONS.index(since)


def assert_rejected(sandbox: SandboxServer, path: str, body: dict[str, Any], message: str) -> None:
    response = sandbox.client.post(path, json=body)
    assert response.status_code == 400, response.text
    assert response.json()["message"].startswith(message)


def speech(api_version: str) -> dict[str, Any]:
    return {"ttsText": "Hello.", "voiceId": "vg_voic_" + "Rowan".ljust(22, "0")}


@pytest.mark.parametrize("api_version", API_VERSIONS)
def test_executions_have_the_fields_of_the_api_version(
    strict: dict[str, SandboxServer], api_version: str
) -> None:
    sandbox = strict[api_version]
    started = sandbox.start("text-to-speech", **speech(api_version))
    assert started.startswith("vg_exec_" if api_version == "0.0" else "vg_tool_")
    sandbox.set_faults({"kind": "job", "seconds": 30})
    unfinished = sandbox.execution(sandbox.start("text-to-speech", **speech(api_version)))
    for since, names in NEWER.items():
        assert (names <= set(unfinished)) == at_least(api_version, since), unfinished
    sandbox.client.delete("/sandbox/faults")
    (result,) = sandbox.wait_until_final(started)["results"]
    assert ("downloadUrl" in result) == at_least(api_version, "2")
    assert ("fileAnalysisMetadata" in result["file"]) is False
    file = sandbox.client.get(f"/v1/files/{result['fileId']}").json()
    assert ("fileAnalysisMetadata" in file) == at_least(api_version, "1.0")
    assert isinstance(file["transcript"], dict if at_least(api_version, "2") else str)
    assert ("transcriptText" in file) == at_least(api_version, "2")


def test_version_2_renews_urls_with_a_changed_lifetime(launch: Callable[..., SandboxServer]) -> None:
    sandbox = launch("--speed", "50", "--api-version", "2")
    sandbox.set_faults(urlLifetimeSeconds=2)
    execution = sandbox.make("text-to-speech", **speech("2"))
    url = execution["results"][0]["downloadUrl"]
    eventually(lambda: httpx.get(url).status_code, lambda status: status == 403)
    renewed = sandbox.execution(execution["toolExecutionId"])["results"][0]["downloadUrl"]
    assert httpx.get(renewed).status_code == 200


@pytest.mark.parametrize("api_version", API_VERSIONS)
def test_lists_are_paginated_from_1_0(strict: dict[str, SandboxServer], api_version: str) -> None:
    page = strict[api_version].client.get("/v1/resources/tts-voices").json()
    assert set(page) - {"ttsVoices"} == ({"hasMore", "nextCursor"} if at_least(api_version, "1.0") else set())
    limited = strict[api_version].client.get("/v1/files?limit=1")
    assert limited.status_code == (200 if at_least(api_version, "1.0") else 400)


def test_api_version_0_0_does_not_paginate(launch) -> None:
    sandbox = launch("--speed", "50", "--api-version", "0.0")
    sandbox.set_faults({"kind": "job", "seconds": 0})
    sandbox.make("text-to-speech", ttsText="a", numResults=3)
    page = sandbox.client.get("/v1/files?limit=1&cursor=nonsense").json()
    assert list(page) == ["files"]
    assert len(page["files"]) == 3


@pytest.mark.parametrize("api_version", API_VERSIONS)
def test_endpoints_exist_from_their_api_version(strict: dict[str, SandboxServer], api_version: str) -> None:
    client = strict[api_version].client
    for path in ("/v1/me", "/v1/tools/executions"):
        assert client.get(path).status_code == (200 if at_least(api_version, "1.1") else 404), path
    presenters = client.get("/v1/resources/avatar-presenters").status_code
    assert presenters == (404 if at_least(api_version, "2") else 200)
    music = client.post("/v1/tools/generate-music", json={}).status_code
    assert music == (400 if at_least(api_version, "1.0") else 404)
    graphic = client.post("/v1/tools/generate-motion-graphic", json={}).status_code
    assert graphic == (400 if at_least(api_version, "2") else 404)


@pytest.mark.parametrize("api_version", API_VERSIONS)
def test_strict_mode_rejects_names_of_other_api_versions(
    strict: dict[str, SandboxServer], api_version: str
) -> None:
    sandbox = strict[api_version]
    old, new = "imageStorageFileId", "imageFileId"
    own, other = (new, old) if at_least(api_version, "2") else (old, new)
    assert_rejected(
        sandbox,
        "/v1/tools/upscale-image",
        {other: "vg_file_x"},
        f"{other} is not a parameter of API version {api_version}",
    )
    unknown = sandbox.client.post("/v1/tools/upscale-image", json={own: "vg_file_x"})
    assert unknown.status_code == 404
    clip = "videoFileIds" if api_version == "0.0" else "videoFileId"
    assert_rejected(sandbox, "/v1/tools/generate-video-clip", {"prompt": "x", clip: "x"}, clip)
    if api_version == "0.0":
        assert_rejected(sandbox, "/v1/tools/generate-image", {"prompt": "x", "quality": "HIGH"}, "quality")
    if api_version in ("1.0", "1.1"):
        assert_rejected(sandbox, "/v1/tools/generate-image", {"prompt": "x"}, "quality is required")
    if api_version == "1.1":
        assert_rejected(sandbox, "/v1/tools/text-to-speech", {"ttsText": "x"}, "voiceId is required")


@pytest.mark.parametrize("api_version", API_VERSIONS)
def test_error_codes_match_the_api_version(strict: dict[str, SandboxServer], api_version: str) -> None:
    client = strict[api_version].client
    is_new = at_least(api_version, "2")
    wrong = client.post("/v1/files/search", json={}).json()
    assert wrong["code"] == ("invalid_request" if is_new else "invalid_parameters")
    assert client.get("/v1/files/vg_file_none").json()["code"] == ("not_found" if is_new else None)


def test_api_version_0_0_rejects_public_images(strict: dict[str, SandboxServer]) -> None:
    sandbox = strict["0.0"]
    picture = sandbox.make(prompt="a hill")["results"][0]["fileId"]
    response = sandbox.client.post(f"/v1/files/{picture}/enable-public-preview")
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")
    sound = sandbox.make("text-to-speech", ttsText="Hello.")["results"][0]["fileId"]
    public = sandbox.client.post(f"/v1/files/{sound}/enable-public-preview").json()
    assert public["publicHlsUrl"]
    assert public["publicPlaybackId"]
    assert "staticPublicPreviewSource" not in public


@pytest.mark.parametrize(("api_version", "supported"), [("0.0", False), ("1.0", True)])
def test_uploads_of_newer_types_fail_in_older_api_versions(
    strict: dict[str, SandboxServer], api_version: str, supported: bool
) -> None:
    sandbox = strict[api_version]
    created = sandbox.client.post("/v1/files/upload", json={"displayName": "paper"}).json()
    with sandbox.client_with("unknown-key") as client:
        assert client.put(created["uploadUrl"], content=b"%PDF-1.4\n%%EOF").status_code == 200
    file = sandbox.wait_for_file(created["fileId"])
    assert file["downloadSource"]["status"] == ("ready" if supported else "failed")


def test_superset_accepts_all_names(sandbox: SandboxServer) -> None:
    picture = sandbox.make(prompt="a hill", quality="LOW")["results"][0]["fileId"]
    for name in ("imageStorageFileId", "imageFileId"):
        assert sandbox.client.post("/v1/tools/upscale-image", json={name: picture}).status_code == 202
    body = {"prompt": "x", "videoFileIds": [], "spokenDialogue": "Hi.", "durationSeconds": 1}
    assert sandbox.client.post("/v1/tools/generate-video-clip", json=body).status_code == 202
