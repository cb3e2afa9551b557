"""Files: what is signed when, how long a link works, and how the bytes are served."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.sandbox.running import Running
from tests.waiting import eventually

SOURCES = ("thumbnailSource", "previewSource", "downloadSource")


def made(sandbox: Running, tool: str = "generate-image", **body: Any) -> dict[str, Any]:
    return sandbox.make(tool, **(body or {"prompt": "a hill"}))["results"][0]["file"]


def read(sandbox: Running, file_id: str) -> dict[str, Any]:
    return sandbox.client.get(f"/v1/files/{file_id}").json()


def hydrate(sandbox: Running, file_id: str) -> dict[str, Any]:
    answer = sandbox.client.post(f"/v1/files/{file_id}/hydrate")
    assert answer.status_code == 200
    return answer.json()


def test_only_hydrating_signs(sandbox: Running) -> None:
    file_id = made(sandbox)["fileId"]
    for seen in (read(sandbox, file_id), sandbox.client.get("/v1/files").json()["files"][0]):
        assert seen["fileId"] == file_id
        assert all(seen[name]["status"] == "pending" and seen[name]["url"] is None for name in SOURCES)
    signed = hydrate(sandbox, file_id)
    assert all(signed[name]["status"] == "ready" for name in SOURCES)
    assert read(sandbox, file_id)["downloadSource"] == signed["downloadSource"]
    assert signed["downloadUrl"] == signed["downloadSource"]["url"]


def test_links_live_for_an_hour(sandbox: Running) -> None:
    source = hydrate(sandbox, made(sandbox)["fileId"])["downloadSource"]
    assert source["expiresAt"] == pytest.approx(time.time() + 3600, abs=5)
    assert httpx.get(source["url"]).status_code == 200


def test_a_link_dies_and_hydrating_makes_a_new_one(sandbox: Running) -> None:
    file_id = made(sandbox)["fileId"]
    sandbox.order(urlLifetimeSeconds=1.1)
    source = hydrate(sandbox, file_id)["downloadSource"]
    assert httpx.get(source["url"]).status_code == 200
    eventually(lambda: httpx.get(source["url"]).status_code, lambda status: status == 403)
    assert read(sandbox, file_id)["downloadSource"]["url"] == source["url"]
    assert httpx.get(hydrate(sandbox, file_id)["downloadSource"]["url"]).status_code == 200


def test_a_link_cannot_be_altered(sandbox: Running) -> None:
    url = httpx.URL(hydrate(sandbox, made(sandbox)["fileId"])["downloadSource"]["url"])
    later = str(int(url.params["expires"]) + 1000)
    assert httpx.get(url.copy_set_param("expires", later)).status_code == 403
    assert httpx.get(url.copy_set_param("sig", "0" * 32)).status_code == 403
    assert httpx.get(url.copy_with(query=None)).status_code == 403
    thumb = str(url).replace("original.png", "thumb.webp")
    assert httpx.get(thumb).status_code == 403


def test_media_is_served_safely_and_in_ranges(sandbox: Running) -> None:
    file = made(sandbox, "text-to-speech", ttsText="A few words to cut into ranges.")
    url = file["downloadSource"]["url"]
    whole = httpx.get(url)
    assert whole.headers["content-type"] == "audio/wav"
    assert whole.headers["x-content-type-options"] == "nosniff"
    assert whole.headers["access-control-allow-origin"] == "*"
    assert len(whole.content) == file["downloadSource"]["fileBytes"]
    part = httpx.get(url, headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole.content[100:200]
    assert part.headers["content-range"] == f"bytes 100-199/{len(whole.content)}"
    assert httpx.get(url, headers={"Range": "bytes=999999999-"}).status_code == 416
    assert httpx.head(url).headers["content-length"] == str(len(whole.content))


def test_analysis_describes_a_file_after_a_while(sandbox: Running) -> None:
    file_id = made(sandbox, prompt="a forest in winter")["fileId"]
    seen = eventually(lambda: read(sandbox, file_id), lambda file: file["description"] is not None)
    assert "forest" in seen["description"]
    assert seen["fileAnalysisMetadata"]["analysisLoadingState"] == "FULFILLED"


def test_a_temporary_file_is_never_analysed(sandbox: Running) -> None:
    file_id = made(sandbox, prompt="for now", isOutputTemporary=True)["fileId"]
    later = made(sandbox, prompt="for good")["fileId"]
    eventually(lambda: read(sandbox, later), lambda file: file["description"] is not None)
    assert read(sandbox, file_id)["description"] is None
    assert read(sandbox, file_id)["fileAnalysisMetadata"]["analysisLoadingState"] == "UNATTEMPTED"


@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("POST", "/hydrate")])
def test_file_ids_are_checked(sandbox: Running, method: str, tail: str) -> None:
    def answer(file_id: str) -> tuple[int, str | None]:
        got = sandbox.client.request(method, f"/v1/files/{file_id}{tail}")
        return got.status_code, got.json()["code"]

    assert answer("vg_file_nothing") == (404, None)
    assert answer("vg_exec_nothing") == (400, "invalid_id")
    assert answer("vg_file_") == (400, "invalid_id")


def test_the_listing_pages_without_gaps(sandbox: Running) -> None:
    sandbox.make("text-to-speech", ttsText="many", numResults=5, isOutputTemporary=True)
    everything = [file["fileId"] for file in sandbox.client.get("/v1/files?limit=200").json()["files"]]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 4}
    while True:
        page = sandbox.client.get("/v1/files", params=query).json()
        seen += [file["fileId"] for file in page["files"]]
        if not page["hasMore"]:
            break
        query["cursor"] = page["nextCursor"]
    assert sorted(seen) == sorted(everything)
    assert len(seen) == len(set(seen))
