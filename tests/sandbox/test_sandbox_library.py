"""File operations: search, archive, public preview and streams; presenters and voices."""

from __future__ import annotations

import io
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.sandbox.process import SECOND_KEY, SandboxServer
from tests.waiting import eventually


def create_file(sandbox: SandboxServer, tool: str = "generate-image", **body: Any) -> str:
    return sandbox.make(tool, **(body or {"prompt": "a hill"}))["results"][0]["fileId"]


def described(sandbox: SandboxServer, file_id: str) -> dict[str, Any]:
    """Wait until the file has been analysed, and return it."""
    return eventually(
        lambda: sandbox.client.get(f"/v1/files/{file_id}").json(), lambda file: file["description"]
    )


def search(sandbox: SandboxServer, query: str, **more: Any) -> list[dict[str, Any]]:
    response = sandbox.client.post("/v1/files/search", json={"query": query, **more})
    assert response.status_code == 200, response.text
    return response.json()["results"]


def post(sandbox: SandboxServer, file_id: str, operation: str) -> dict[str, Any]:
    response = sandbox.client.post(f"/v1/files/{file_id}/{operation}")
    assert response.status_code == 200, response.text
    return response.json()


def listed(sandbox: SandboxServer) -> list[str]:
    return [file["fileId"] for file in sandbox.client.get("/v1/files?limit=200").json()["files"]]


def test_search_is_semantic_and_ranked(sandbox: SandboxServer) -> None:
    sea = create_file(sandbox, prompt="waves on a lonely beach")
    peak = create_file(sandbox, prompt="an alpine summit in the snow")
    for file_id in (sea, peak):
        described(sandbox, file_id)
    for query, expected in (("lonely beach", sea), ("ocean shore", sea), ("mountain in winter", peak)):
        hits = search(sandbox, query, numResults=100)
        order = [hit["file"]["fileId"] for hit in hits]
        other = peak if expected == sea else sea
        assert order.index(expected) < (order.index(other) if other in order else 1000), query
        scores = [hit["similarity"] for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
    assert search(sandbox, "waves on a lonely beach")[0]["similarity"] > 0.9
    assert len(search(sandbox, "a", numResults=1)) <= 1


def test_search_ignores_files_without_description(sandbox: SandboxServer) -> None:
    sandbox.set_faults({"kind": "analysis", "match": "*", "seconds": 60})
    hidden = create_file(sandbox, prompt="a purple zeppelin over the harbour")
    temporary = create_file(sandbox, prompt="a purple zeppelin", isOutputTemporary=True)
    found = {hit["file"]["fileId"] for hit in search(sandbox, "purple zeppelin", numResults=100)}
    assert not found & {hidden, temporary}


def test_self_only_limits_search_and_list(sandbox: SandboxServer) -> None:
    mine = create_file(sandbox, prompt="a copper kettle on a stove")
    described(sandbox, mine)
    with sandbox.client_with(SECOND_KEY) as other:
        body = {"query": "copper kettle", "selfOnly": True}
        assert mine not in str(other.post("/v1/files/search", json=body).json())
        assert mine in str(other.post("/v1/files/search", json={"query": "copper kettle"}).json())
        assert mine not in str(other.get("/v1/files?selfOnly=true&limit=200").json())
    assert mine in str(search(sandbox, "copper kettle", selfOnly=True))


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x", "numResults": 0}, "numResults"),
        ({"query": "x", "numResults": 101}, "numResults"),
        ({"query": "x", "selfOnly": 1}, "selfOnly"),
    ],
)
def test_invalid_search_is_rejected_with_the_field_name(
    sandbox: SandboxServer, body: dict[str, Any], field: str
) -> None:
    response = sandbox.client.post("/v1/files/search", json=body)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_parameters")
    assert response.json()["message"].startswith(field)


def test_archived_file_is_hidden_but_usable(sandbox: SandboxServer) -> None:
    file_id = create_file(sandbox, prompt="a turquoise gramophone")
    described(sandbox, file_id)
    for _ in range(2):
        assert post(sandbox, file_id, "archive")["fileId"] == file_id
    assert file_id not in listed(sandbox)
    assert file_id not in str(search(sandbox, "turquoise gramophone"))
    assert sandbox.client.get(f"/v1/files/{file_id}").status_code == 200
    assert httpx.get(post(sandbox, file_id, "hydrate")["downloadSource"]["url"]).status_code == 200
    assert sandbox.make(prompt="again", imageFileIds=[file_id])["status"] == "succeeded"


def test_public_audio_can_be_played_until_the_preview_is_disabled(sandbox: SandboxServer) -> None:
    file_id = create_file(
        sandbox, "text-to-speech", ttsText="One, two, three, four, five, six, seven, eight."
    )
    assert post(sandbox, file_id, "enable-public-preview")["isPublicPreviewEnabled"] is True
    file = eventually(
        lambda: sandbox.client.get(f"/v1/files/{file_id}").json(), lambda seen: seen["publicPlaybackId"]
    )
    assert file["publicPlaybackId"].startswith("vg_play_")
    with av.open(file["publicHlsUrl"]) as stream:
        seconds = sum(frame.samples / frame.sample_rate for frame in stream.decode(audio=0))
    assert seconds == pytest.approx(file["durationSeconds"], abs=0.2)
    permanent = file["staticPublicPreviewSource"]
    assert (permanent["status"], permanent["expiresAt"]) == ("ready", None)
    assert httpx.get(permanent["url"]).headers["content-type"] == "audio/wav"
    disabled = post(sandbox, file_id, "disable-public-preview")
    assert (disabled["isPublicPreviewEnabled"], disabled["publicHlsUrl"]) == (False, None)
    assert httpx.get(file["publicHlsUrl"]).status_code == 404
    assert httpx.get(permanent["url"]).status_code == 404
    assert httpx.get(post(sandbox, file_id, "hydrate")["downloadSource"]["url"]).status_code == 200


def test_public_image_has_a_permanent_url_and_no_stream(sandbox: SandboxServer) -> None:
    file_id = create_file(sandbox)
    file = post(sandbox, file_id, "enable-public-preview")
    assert (file["publicHlsUrl"], file["publicPlaybackId"]) == (None, None)
    url = file["staticPublicPreviewSource"]["url"]
    assert Image.open(io.BytesIO(httpx.get(url).content)).size == (1280, 720)
    assert httpx.get(url.replace("original.png", "thumb.webp")).status_code == 404


def test_playback_id_can_be_delayed(launch) -> None:
    sandbox = launch("--speed", "1")
    sandbox.set_faults({"kind": "job", "seconds": 0})
    file_id = create_file(sandbox, "text-to-speech", ttsText="Hello.")
    assert post(sandbox, file_id, "enable-public-preview")["publicPlaybackId"] is None
    eventually(
        lambda: sandbox.client.get(f"/v1/files/{file_id}").json(), lambda seen: seen["publicPlaybackId"]
    )


def test_unprocessed_file_cannot_be_public(sandbox: SandboxServer) -> None:
    response = sandbox.client.post("/v1/files/upload", json={"displayName": "x.png"})
    rejected = sandbox.client.post(f"/v1/files/{response.json()['fileId']}/enable-public-preview")
    assert rejected.status_code == 409


def test_private_stream_requires_a_valid_signature(sandbox: SandboxServer) -> None:
    file_id = create_file(sandbox, "text-to-speech", ttsText="One, two, three, four, five.")
    url = post(sandbox, file_id, "hydrate")["hlsSource"]["url"]
    playlist = httpx.get(url)
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert "#EXT-X-ENDLIST" in playlist.text
    (segment, *_) = [line for line in playlist.text.splitlines() if not line.startswith("#")]
    base_url = url.rsplit("/", 1)[0]
    assert httpx.get(f"{base_url}/{segment}").headers["content-type"] == "video/mp2t"
    assert httpx.get(f"{base_url}/original.wav").status_code == 404
    forged = base_url[:-1] + ("0" if base_url[-1] != "0" else "1")
    assert httpx.get(f"{forged}/stream.m3u8").status_code == 403


def test_downloads_can_be_interrupted_or_rejected(sandbox: SandboxServer) -> None:
    file_id = create_file(sandbox)
    url = post(sandbox, file_id, "hydrate")["downloadSource"]["url"]
    sandbox.set_faults({"kind": "cut", "match": "GET /media/*", "bytes": 1000, "count": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        httpx.get(url)
    sandbox.set_faults({"kind": "expired", "match": "GET /media/*", "count": 1})
    assert [httpx.get(url).status_code for _ in range(2)] == [403, 200]


def test_hydrate_can_be_rejected(sandbox: SandboxServer) -> None:
    file_id = create_file(sandbox)
    sandbox.set_faults({"kind": "forbidden", "match": "POST /v1/files/*/hydrate", "count": 1})
    statuses = [sandbox.client.post(f"/v1/files/{file_id}/hydrate").status_code for _ in range(2)]
    assert statuses == [403, 200]


def test_result_names_its_source(sandbox: SandboxServer) -> None:
    execution = sandbox.make(prompt="a hill")
    file = post(sandbox, execution["results"][0]["fileId"], "hydrate")
    assert (file["sourceToolType"], file["sourceToolExecutionId"]) == (
        "GENERATE_IMAGE",
        execution["toolExecutionId"],
    )


def test_presenters_have_images_and_a_clip_with_speech(sandbox: SandboxServer) -> None:
    presenters = sandbox.client.get("/v1/resources/avatar-presenters").json()["avatarPresenters"]
    assert len(presenters) >= 6
    assert {each["displayableGender"] for each in presenters} == {"FEMALE", "MALE", "NEUTRAL"}
    first, second = presenters[:2]
    faces = [
        Image.open(io.BytesIO(httpx.get(each["imageUrl"], timeout=30).content)) for each in (first, second)
    ]
    assert faces[0].size == (960, 540)
    assert faces[0].tobytes() != faces[1].tobytes()
    assert Image.open(io.BytesIO(httpx.get(first["thumbnailUrl"]).content)).size == (320, 180)
    with av.open(io.BytesIO(httpx.get(first["previewVideoUrl"]).content)) as clip:
        assert sum(1 for _ in clip.decode(video=0)) > 20
    with av.open(io.BytesIO(httpx.get(first["previewVideoUrl"]).content)) as clip:
        assert max(abs(int(frame.to_ndarray().max() * 1000)) for frame in clip.decode(audio=0)) > 50


def test_presenters_are_sorted_by_voice_and_paged(sandbox: SandboxServer) -> None:
    voices = sandbox.client.get("/v1/resources/tts-voices").json()["ttsVoices"]
    male = next(voice["voiceId"] for voice in voices if voice["displayGender"] == "MALE")
    path = f"/v1/resources/avatar-presenters?voiceId={male}&limit=3"
    page = sandbox.client.get(path).json()
    assert {each["displayableGender"] for each in page["avatarPresenters"]} == {"MALE"}
    rest = sandbox.client.get(f"{path}&cursor={page['nextCursor']}").json()["avatarPresenters"]
    ids = [each["avatarPresenterId"] for each in page["avatarPresenters"] + rest]
    assert len(set(ids)) == 6
    unsorted = sandbox.client.get(f"/v1/resources/avatar-presenters?cursor={page['nextCursor']}")
    assert unsorted.status_code == 400
    assert sandbox.client.get("/v1/resources/avatar-presenters?voiceId=vg_voic_x").status_code == 400


def test_every_text_to_speech_voice_works(sandbox: SandboxServer) -> None:
    voices = sandbox.client.get("/v1/resources/tts-voices").json()["ttsVoices"]
    direct = [voice for voice in voices if voice["supportsDirectToolExecution"]]
    started = {
        voice["displayName"]: sandbox.start(
            "text-to-speech", ttsText="Radio, piano, auto.", voiceId=voice["voiceId"]
        )
        for voice in direct
    }
    for name, execution_id in started.items():
        execution = sandbox.wait_until_final(execution_id)
        assert execution["status"] == "succeeded", (name, execution)
        assert execution["results"][0]["file"]["durationSeconds"] > 0.8, name
