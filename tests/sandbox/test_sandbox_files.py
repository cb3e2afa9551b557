"""Files: signing and expiry of URLs, analysis, downloads and pagination."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from tests.sandbox.process import SandboxServer
from tests.waiting import eventually

SOURCES = ("thumbnailSource", "previewSource", "downloadSource")


def create_file(sandbox: SandboxServer, tool: str = "generate-image", **body: Any) -> dict[str, Any]:
    return sandbox.make(tool, **(body or {"prompt": "a hill"}))["results"][0]["file"]


def read(sandbox: SandboxServer, file_id: str) -> dict[str, Any]:
    return sandbox.client.get(f"/v1/files/{file_id}").json()


def hydrate(sandbox: SandboxServer, file_id: str) -> dict[str, Any]:
    response = sandbox.client.post(f"/v1/files/{file_id}/hydrate")
    assert response.status_code == 200
    return response.json()


def test_only_hydrate_signs_urls(sandbox: SandboxServer) -> None:
    file_id = create_file(sandbox)["fileId"]
    for seen in (read(sandbox, file_id), sandbox.client.get("/v1/files").json()["files"][0]):
        assert seen["fileId"] == file_id
        assert all(seen[name]["status"] == "pending" and seen[name]["url"] is None for name in SOURCES)
    signed = hydrate(sandbox, file_id)
    assert all(signed[name]["status"] == "ready" for name in SOURCES)
    assert read(sandbox, file_id)["downloadSource"] == signed["downloadSource"]
    assert signed["downloadUrl"] == signed["downloadSource"]["url"]


def test_signed_urls_expire_after_an_hour(sandbox: SandboxServer) -> None:
    source = hydrate(sandbox, create_file(sandbox)["fileId"])["downloadSource"]
    assert source["expiresAt"] == pytest.approx(time.time() + 3600, abs=5)
    assert httpx.get(source["url"]).status_code == 200


def test_hydrate_renews_an_expired_url(sandbox: SandboxServer) -> None:
    file_id = create_file(sandbox)["fileId"]
    assert httpx.get(hydrate(sandbox, file_id)["downloadSource"]["url"]).status_code == 200
    sandbox.set_faults(urlLifetimeSeconds=0.1)
    source = hydrate(sandbox, file_id)["downloadSource"]
    eventually(lambda: httpx.get(source["url"]).status_code, lambda status: status == 403)
    assert read(sandbox, file_id)["downloadSource"]["url"] == source["url"]
    sandbox.set_faults()
    assert httpx.get(hydrate(sandbox, file_id)["downloadSource"]["url"]).status_code == 200


def test_altered_urls_are_rejected(sandbox: SandboxServer) -> None:
    url = httpx.URL(hydrate(sandbox, create_file(sandbox)["fileId"])["downloadSource"]["url"])
    later = str(int(url.params["expires"]) + 1000)
    assert httpx.get(url.copy_set_param("expires", later)).status_code == 403
    assert httpx.get(url.copy_set_param("sig", "0" * 32)).status_code == 403
    assert httpx.get(url.copy_with(query=None)).status_code == 403
    thumb = str(url).replace("original.png", "thumb.webp")
    assert httpx.get(thumb).status_code == 403


def test_media_downloads_have_safe_headers_and_support_ranges(sandbox: SandboxServer) -> None:
    file = create_file(sandbox, "text-to-speech", ttsText="A few words to cut into ranges.")
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


def test_analysis_adds_a_description_later(sandbox: SandboxServer) -> None:
    file_id = create_file(sandbox, prompt="a forest in winter")["fileId"]
    seen = eventually(lambda: read(sandbox, file_id), lambda file: file["description"] is not None)
    assert "forest" in seen["description"]
    assert seen["fileAnalysisMetadata"]["analysisLoadingState"] == "FULFILLED"


def test_a_temporary_file_is_never_analysed(sandbox: SandboxServer) -> None:
    file_id = create_file(sandbox, prompt="for now", isOutputTemporary=True)["fileId"]
    later = create_file(sandbox, prompt="for good")["fileId"]
    eventually(lambda: read(sandbox, later), lambda file: file["description"] is not None)
    assert read(sandbox, file_id)["description"] is None
    assert read(sandbox, file_id)["fileAnalysisMetadata"]["analysisLoadingState"] == "UNATTEMPTED"


@pytest.mark.parametrize(("method", "tail"), [("GET", ""), ("POST", "/hydrate")])
def test_file_ids_are_validated(sandbox: SandboxServer, method: str, tail: str) -> None:
    def status_and_code(file_id: str) -> tuple[int, str | None]:
        response = sandbox.client.request(method, f"/v1/files/{file_id}{tail}")
        return response.status_code, response.json()["code"]

    assert status_and_code("vg_file_nothing") == (404, None)
    assert status_and_code("vg_exec_nothing") == (400, "invalid_id")
    assert status_and_code("vg_file_") == (400, "invalid_id")


def test_pagination_has_no_gaps(sandbox: SandboxServer) -> None:
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
