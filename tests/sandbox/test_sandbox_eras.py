"""Eras: the superset takes every name and shows every field; one era shows its own; a strict one refuses the others'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.settings import ERAS
from tests.sandbox.running import Running

NEWER = {
    "1.0": {"progressPercentage", "attemptIndex"},
    "2": {"results", "error"},
}


@pytest.fixture(scope="module")
def strict() -> Iterator[dict[str, Running]]:
    """A strict sandbox for each era."""
    running = {era: Running("--speed", "50", "--strict-era", era) for era in ERAS}
    yield running
    for each in running.values():
        each.stop()


def at_least(era: str, since: str) -> bool:
    return ERAS.index(era) >= ERAS.index(since)


def refused(sandbox: Running, path: str, body: dict[str, Any], named: str) -> None:
    answer = sandbox.client.post(path, json=body)
    assert answer.status_code == 400, answer.text
    assert answer.json()["message"].startswith(named)


def speech(era: str) -> dict[str, Any]:
    return {"ttsText": "Hello.", "voiceId": "vg_voic_" + "Rowan".ljust(22, "0")}


@pytest.mark.parametrize("era", ERAS)
def test_executions_look_as_in_their_era(strict: dict[str, Running], era: str) -> None:
    sandbox = strict[era]
    started = sandbox.start("text-to-speech", **speech(era))
    assert started.startswith("vg_exec_" if era == "0.0" else "vg_tool_")
    sandbox.order({"kind": "job", "seconds": 30})
    waiting = sandbox.execution(sandbox.start("text-to-speech", **speech(era)))
    for since, names in NEWER.items():
        assert (names <= set(waiting)) == at_least(era, since), waiting
    sandbox.client.delete("/sandbox/faults")
    (result,) = sandbox.finished(started)["results"]
    assert ("downloadUrl" in result) == at_least(era, "2")
    assert ("fileAnalysisMetadata" in result["file"]) is False
    file = sandbox.client.get(f"/v1/files/{result['fileId']}").json()
    assert ("fileAnalysisMetadata" in file) == at_least(era, "1.0")
    assert isinstance(file["transcript"], dict if at_least(era, "2") else str)
    assert ("transcriptText" in file) == at_least(era, "2")


@pytest.mark.parametrize("era", ERAS)
def test_lists_have_pages_from_1_0_on(strict: dict[str, Running], era: str) -> None:
    page = strict[era].client.get("/v1/resources/tts-voices").json()
    assert set(page) - {"ttsVoices"} == ({"hasMore", "nextCursor"} if at_least(era, "1.0") else set())
    limited = strict[era].client.get("/v1/files?limit=1")
    assert limited.status_code == (200 if at_least(era, "1.0") else 400)


def test_era_0_0_lists_everything_at_once(launch) -> None:
    sandbox = launch("--speed", "50", "--era", "0.0")
    sandbox.order({"kind": "job", "seconds": 0})
    sandbox.make("text-to-speech", ttsText="a", numResults=3)
    page = sandbox.client.get("/v1/files?limit=1&cursor=nonsense").json()
    assert list(page) == ["files"]
    assert len(page["files"]) == 3


@pytest.mark.parametrize("era", ERAS)
def test_calls_exist_from_their_era_on(strict: dict[str, Running], era: str) -> None:
    client = strict[era].client
    for path in ("/v1/me", "/v1/tools/executions"):
        assert client.get(path).status_code == (200 if at_least(era, "1.1") else 404), path
    presenters = client.get("/v1/resources/avatar-presenters").status_code
    assert presenters == (404 if at_least(era, "2") else 200)
    music = client.post("/v1/tools/generate-music", json={}).status_code
    assert music == (400 if at_least(era, "1.0") else 404)
    graphic = client.post("/v1/tools/generate-motion-graphic", json={}).status_code
    assert graphic == (400 if at_least(era, "2") else 404)


@pytest.mark.parametrize("era", ERAS)
def test_a_strict_era_refuses_the_names_of_others(strict: dict[str, Running], era: str) -> None:
    sandbox = strict[era]
    old, new = "imageStorageFileId", "imageFileId"
    mine, other = (new, old) if at_least(era, "2") else (old, new)
    refused(
        sandbox, "/v1/tools/upscale-image", {other: "vg_file_x"}, f"{other} is not a parameter of era {era}"
    )
    unknown = sandbox.client.post("/v1/tools/upscale-image", json={mine: "vg_file_x"})
    assert unknown.status_code == 404
    clip = "videoFileIds" if era == "0.0" else "videoFileId"
    refused(sandbox, "/v1/tools/generate-video-clip", {"prompt": "x", clip: "x"}, clip)
    if era == "0.0":
        refused(sandbox, "/v1/tools/generate-image", {"prompt": "x", "quality": "HIGH"}, "quality")
    if era in ("1.0", "1.1"):
        refused(sandbox, "/v1/tools/generate-image", {"prompt": "x"}, "quality is required")
    if era == "1.1":
        refused(sandbox, "/v1/tools/text-to-speech", {"ttsText": "x"}, "voiceId is required")


@pytest.mark.parametrize("era", ERAS)
def test_codes_are_those_of_the_era(strict: dict[str, Running], era: str) -> None:
    client = strict[era].client
    is_new = at_least(era, "2")
    wrong = client.post("/v1/files/search", json={}).json()
    assert wrong["code"] == ("invalid_request" if is_new else "invalid_parameters")
    assert client.get("/v1/files/vg_file_none").json()["code"] == ("not_found" if is_new else None)


def test_era_0_0_shows_no_picture_to_the_public(strict: dict[str, Running]) -> None:
    sandbox = strict["0.0"]
    picture = sandbox.make(prompt="a hill")["results"][0]["fileId"]
    answer = sandbox.client.post(f"/v1/files/{picture}/enable-public-preview")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
    sound = sandbox.make("text-to-speech", ttsText="Hello.")["results"][0]["fileId"]
    shown = sandbox.client.post(f"/v1/files/{sound}/enable-public-preview").json()
    assert shown["publicHlsUrl"]
    assert shown["publicPlaybackId"]
    assert "staticPublicPreviewSource" not in shown


@pytest.mark.parametrize(("era", "known"), [("0.0", False), ("1.0", True)])
def test_uploads_of_later_types_fail_in_early_eras(strict: dict[str, Running], era: str, known: bool) -> None:
    sandbox = strict[era]
    created = sandbox.client.post("/v1/files/upload", json={"displayName": "paper"}).json()
    with sandbox.client_with("nobody") as stranger:
        assert stranger.put(created["uploadUrl"], content=b"%PDF-1.4\n%%EOF").status_code == 200
    file = sandbox.wait_for_file(created["fileId"])
    assert file["downloadSource"]["status"] == ("ready" if known else "failed")


def test_the_superset_takes_every_name(sandbox: Running) -> None:
    picture = sandbox.make(prompt="a hill", quality="LOW")["results"][0]["fileId"]
    for name in ("imageStorageFileId", "imageFileId"):
        assert sandbox.client.post("/v1/tools/upscale-image", json={name: picture}).status_code == 202
    body = {"prompt": "x", "videoFileIds": [], "spokenDialogue": "Hi.", "durationSeconds": 1}
    assert sandbox.client.post("/v1/tools/generate-video-clip", json=body).status_code == 202
