"""The library's calls beyond reading: search, archive, public preview, streams, and who sees what."""

from __future__ import annotations

import io
from typing import Any

import av
import httpx
import pytest
from PIL import Image

from tests.sandbox.running import SECOND_KEY, Running
from tests.waiting import eventually


def made(sandbox: Running, tool: str = "generate-image", **body: Any) -> str:
    return sandbox.make(tool, **(body or {"prompt": "a hill"}))["results"][0]["fileId"]


def described(sandbox: Running, file_id: str) -> dict[str, Any]:
    """The file once analysis is through with it."""
    return eventually(
        lambda: sandbox.client.get(f"/v1/files/{file_id}").json(), lambda file: file["description"]
    )


def search(sandbox: Running, query: str, **more: Any) -> list[dict[str, Any]]:
    answer = sandbox.client.post("/v1/files/search", json={"query": query, **more})
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


def post(sandbox: Running, file_id: str, act: str) -> dict[str, Any]:
    answer = sandbox.client.post(f"/v1/files/{file_id}/{act}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def listed(sandbox: Running) -> list[str]:
    return [file["fileId"] for file in sandbox.client.get("/v1/files?limit=200").json()["files"]]


def test_search_finds_by_meaning_best_first(sandbox: Running) -> None:
    sea = made(sandbox, prompt="waves on a lonely beach")
    peak = made(sandbox, prompt="an alpine summit in the snow")
    for file_id in (sea, peak):
        described(sandbox, file_id)
    for query, wanted in (("lonely beach", sea), ("ocean shore", sea), ("mountain in winter", peak)):
        hits = search(sandbox, query, numResults=100)
        order = [hit["file"]["fileId"] for hit in hits]
        other = peak if wanted == sea else sea
        assert order.index(wanted) < (order.index(other) if other in order else 1000), query
        scores = [hit["similarity"] for hit in hits]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
    assert search(sandbox, "waves on a lonely beach")[0]["similarity"] > 0.9
    assert len(search(sandbox, "a", numResults=1)) <= 1


def test_search_does_not_find_what_is_not_described(sandbox: Running) -> None:
    sandbox.order({"kind": "analysis", "match": "*", "seconds": 60})
    hidden = made(sandbox, prompt="a purple zeppelin over the harbour")
    temporary = made(sandbox, prompt="a purple zeppelin", isOutputTemporary=True)
    found = {hit["file"]["fileId"] for hit in search(sandbox, "purple zeppelin", numResults=100)}
    assert not found & {hidden, temporary}


def test_search_and_listing_can_be_limited_to_ones_own(sandbox: Running) -> None:
    mine = made(sandbox, prompt="a copper kettle on a stove")
    described(sandbox, mine)
    with sandbox.client_with(SECOND_KEY) as other:
        body = {"query": "copper kettle", "selfOnly": True}
        assert mine not in str(other.post("/v1/files/search", json=body).json())
        assert mine in str(other.post("/v1/files/search", json={"query": "copper kettle"}).json())
        assert mine not in str(other.get("/v1/files?selfOnly=true&limit=200").json())
    assert mine in str(search(sandbox, "copper kettle", selfOnly=True))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "x", "numResults": 0}, "numResults"),
        ({"query": "x", "numResults": 101}, "numResults"),
        ({"query": "x", "selfOnly": 1}, "selfOnly"),
    ],
)
def test_a_wrong_search_is_refused_by_name(sandbox: Running, body: dict[str, Any], named: str) -> None:
    answer = sandbox.client.post("/v1/files/search", json=body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_parameters")
    assert answer.json()["message"].startswith(named)


def test_an_archived_file_is_hidden_and_still_usable(sandbox: Running) -> None:
    file_id = made(sandbox, prompt="a turquoise gramophone")
    described(sandbox, file_id)
    for _ in range(2):
        assert post(sandbox, file_id, "archive")["fileId"] == file_id
    assert file_id not in listed(sandbox)
    assert file_id not in str(search(sandbox, "turquoise gramophone"))
    assert sandbox.client.get(f"/v1/files/{file_id}").status_code == 200
    assert httpx.get(post(sandbox, file_id, "hydrate")["downloadSource"]["url"]).status_code == 200
    assert sandbox.make(prompt="again", imageFileIds=[file_id])["status"] == "succeeded"


def test_a_public_sound_plays_for_everybody_until_it_is_withdrawn(sandbox: Running) -> None:
    file_id = made(sandbox, "text-to-speech", ttsText="One, two, three, four, five, six, seven, eight.")
    assert post(sandbox, file_id, "enable-public-preview")["isPublicPreviewEnabled"] is True
    file = eventually(
        lambda: sandbox.client.get(f"/v1/files/{file_id}").json(), lambda seen: seen["publicPlaybackId"]
    )
    assert file["publicPlaybackId"].startswith("vg_play_")
    with av.open(file["publicHlsUrl"]) as stream:
        heard = sum(frame.samples / frame.sample_rate for frame in stream.decode(audio=0))
    assert heard == pytest.approx(file["durationSeconds"], abs=0.2)
    permanent = file["staticPublicPreviewSource"]
    assert (permanent["status"], permanent["expiresAt"]) == ("ready", None)
    assert httpx.get(permanent["url"]).headers["content-type"] == "audio/wav"
    withdrawn = post(sandbox, file_id, "disable-public-preview")
    assert (withdrawn["isPublicPreviewEnabled"], withdrawn["publicHlsUrl"]) == (False, None)
    assert httpx.get(file["publicHlsUrl"]).status_code == 404
    assert httpx.get(permanent["url"]).status_code == 404
    assert httpx.get(post(sandbox, file_id, "hydrate")["downloadSource"]["url"]).status_code == 200


def test_a_public_picture_has_a_permanent_address_and_no_stream(sandbox: Running) -> None:
    file_id = made(sandbox)
    file = post(sandbox, file_id, "enable-public-preview")
    assert (file["publicHlsUrl"], file["publicPlaybackId"]) == (None, None)
    url = file["staticPublicPreviewSource"]["url"]
    assert Image.open(io.BytesIO(httpx.get(url).content)).size == (1280, 720)
    assert httpx.get(url.replace("original.png", "thumb.webp")).status_code == 404


def test_the_playback_id_may_come_later_than_the_permission(launch) -> None:
    sandbox = launch("--speed", "1")
    sandbox.order({"kind": "job", "seconds": 0})
    file_id = made(sandbox, "text-to-speech", ttsText="Hello.")
    assert post(sandbox, file_id, "enable-public-preview")["publicPlaybackId"] is None
    eventually(
        lambda: sandbox.client.get(f"/v1/files/{file_id}").json(), lambda seen: seen["publicPlaybackId"]
    )


def test_what_is_not_ready_cannot_be_public(sandbox: Running) -> None:
    answer = sandbox.client.post("/v1/files/upload", json={"displayName": "x.png"})
    refused = sandbox.client.post(f"/v1/files/{answer.json()['fileId']}/enable-public-preview")
    assert refused.status_code == 409


def test_a_private_stream_needs_its_permit(sandbox: Running) -> None:
    file_id = made(sandbox, "text-to-speech", ttsText="One, two, three, four, five.")
    url = post(sandbox, file_id, "hydrate")["hlsSource"]["url"]
    playlist = httpx.get(url)
    assert playlist.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert "#EXT-X-ENDLIST" in playlist.text
    (segment, *_) = [line for line in playlist.text.splitlines() if not line.startswith("#")]
    place = url.rsplit("/", 1)[0]
    assert httpx.get(f"{place}/{segment}").headers["content-type"] == "video/mp2t"
    assert httpx.get(f"{place}/original.wav").status_code == 404
    forged = place[:-1] + ("0" if place[-1] != "0" else "1")
    assert httpx.get(f"{forged}/stream.m3u8").status_code == 403


def test_a_download_can_be_cut_or_refused(sandbox: Running) -> None:
    file_id = made(sandbox)
    url = post(sandbox, file_id, "hydrate")["downloadSource"]["url"]
    sandbox.order({"kind": "cut", "match": "GET /media/*", "bytes": 1000, "count": 1})
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        httpx.get(url)
    sandbox.order({"kind": "expired", "match": "GET /media/*", "count": 1})
    assert [httpx.get(url).status_code for _ in range(2)] == [403, 200]


def test_hydrating_can_be_refused(sandbox: Running) -> None:
    file_id = made(sandbox)
    sandbox.order({"kind": "forbidden", "match": "POST /v1/files/*/hydrate", "count": 1})
    answers = [sandbox.client.post(f"/v1/files/{file_id}/hydrate").status_code for _ in range(2)]
    assert answers == [403, 200]


def test_a_result_names_its_source(sandbox: Running) -> None:
    ended = sandbox.make(prompt="a hill")
    file = post(sandbox, ended["results"][0]["fileId"], "hydrate")
    assert (file["sourceToolType"], file["sourceToolExecutionId"]) == (
        "GENERATE_IMAGE",
        ended["toolExecutionId"],
    )


def test_presenters_have_faces_and_speak(sandbox: Running) -> None:
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


def test_presenters_are_sorted_by_voice_and_paged(sandbox: Running) -> None:
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


def test_every_voice_for_speech_really_speaks(sandbox: Running) -> None:
    voices = sandbox.client.get("/v1/resources/tts-voices").json()["ttsVoices"]
    direct = [voice for voice in voices if voice["supportsDirectToolExecution"]]
    started = {
        voice["displayName"]: sandbox.start(
            "text-to-speech", ttsText="Radio, piano, auto.", voiceId=voice["voiceId"]
        )
        for voice in direct
    }
    for name, execution_id in started.items():
        ended = sandbox.finished(execution_id)
        assert ended["status"] == "succeeded", (name, ended)
        assert ended["results"][0]["file"]["durationSeconds"] > 0.8, name
