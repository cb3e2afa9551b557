"""Media links do not expire: each redirects to a signed URL that is valid for more than a minute."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from executions.core import runtime
from executions.models import File
from tests.dashboard.browsers import Browser, text
from tests.factories.files import file
from tests.waiting import eventually

# Downloads are proxied: tests/dashboard/library/test_downloads.py.
KINDS = ("preview", "thumbnail")


@pytest.fixture(scope="session")
def made_image(sandbox_process: Any) -> str:
    """The sandbox's id of an image that it has made."""

    body = {"prompt": "a lighthouse", "numResults": 1}
    started = sandbox_process.call("POST", "/v1/tools/generate-image", body).json()["toolExecutionId"]

    def results() -> Any:
        return sandbox_process.call("GET", f"/v1/tools/executions/{started}").json().get("results")

    return eventually(results)[0]["file"]["fileId"]


def source(url: str, seconds: float) -> dict[str, Any]:
    expires = timezone.now() + timedelta(seconds=seconds)
    return {"status": "ready", "url": url, "expiresAt": expires.isoformat()}


def known(remote_id: str = "vg_file_1", **sources: dict[str, Any]) -> File:
    """A file as VideoGen once reported it."""
    return file(remote_id, type="IMAGE", snapshot={"fileId": remote_id, "type": "IMAGE", **sources})


async def follow(browser: Browser, pk: Any, kind: str = "preview") -> Any:
    return await browser.aget(f"/files/{pk}/{kind}")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_link_redirects_to_the_media(
    kind: str, account: Any, ann_browser: Browser, made_image: str
) -> None:
    picture = await runtime.in_db(file, made_image, type="IMAGE")
    answer = await follow(ann_browser, picture.pk, kind)
    assert answer.status_code == 302
    assert answer["Cache-Control"] == "private, max-age=30"
    async with httpx.AsyncClient(trust_env=False) as browser:
        media = await browser.get(answer["Location"])
    assert media.status_code == 200
    assert media.headers["content-type"].startswith("image/")


async def test_the_signed_url_outlives_the_cached_redirect_by_a_minute(
    account: Any, ann_browser: Browser, made_image: str
) -> None:
    picture = await runtime.in_db(file, made_image, type="IMAGE")
    await follow(ann_browser, picture.pk)
    picture = await runtime.in_db(File.objects.get, pk=picture.pk)
    from executions.videogen import RemoteFile

    preview = RemoteFile.from_wire(picture.snapshot).preview
    assert preview is not None
    assert preview.expires_at is not None
    assert preview.expires_at - timezone.now() > timedelta(seconds=60 + 30)


async def test_a_valid_signed_url_is_used_without_a_call(account: Any, ann_browser: Browser) -> None:
    account.control("PUT", "faults", {"faults": [{"kind": "status", "status": 500}]})
    picture = await runtime.in_db(known, previewSource=source("https://media.example.org/good", 95))
    answer = await follow(ann_browser, picture.pk)
    assert (answer.status_code, answer["Location"]) == (302, "https://media.example.org/good")


async def test_a_signed_url_about_to_expire_is_replaced(
    account: Any, ann_browser: Browser, made_image: str
) -> None:
    old = source("https://media.example.org/old", 85)
    picture = await runtime.in_db(known, made_image, previewSource=old)
    answer = await follow(ann_browser, picture.pk)
    assert answer.status_code == 302
    assert answer["Location"].startswith(account.url)


async def test_a_missing_rendition_falls_back_to_the_nearest(account: Any, ann_browser: Browser) -> None:
    whole = source("https://media.example.org/whole", 600)
    picture = await runtime.in_db(known, downloadSource=whole)
    for kind in KINDS:
        assert (await follow(ann_browser, picture.pk, kind))["Location"] == whole["url"]


async def test_concurrent_requests_share_one_call(
    account: Any, ann_browser: Browser, made_image: str
) -> None:
    picture = await runtime.in_db(file, made_image, type="IMAGE")
    slow = {"kind": "slow", "seconds": 0.5, "match": "POST /v1/files/*", "count": 1}
    limits = {"POST /v1/files/{id}/hydrate": {"limit": 1, "seconds": 3600}}
    account.control("PUT", "faults", {"faults": [slow], "limits": limits})
    answers = await asyncio.gather(*(follow(ann_browser, picture.pk) for _ in range(5)))
    # A second call would have exceeded the limit.
    assert [answer.status_code for answer in answers] == [302] * 5


async def test_a_file_that_videogen_no_longer_has_is_not_found(account: Any, ann_browser: Browser) -> None:
    picture = await runtime.in_db(file, "vg_file_that_never_was", type="IMAGE")
    answer = await follow(ann_browser, picture.pk)
    assert answer.status_code == 404
    assert "Page not found" in text(answer)


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 500}, {"kind": "lost_before"}, {"kind": "unauthorized"}]
)
async def test_a_missing_signed_url_shows_an_error_page(
    fault: dict[str, Any], account: Any, ann_browser: Browser, made_image: str
) -> None:
    picture = await runtime.in_db(file, made_image, type="IMAGE")
    account.control("PUT", "faults", {"faults": [fault]})
    answer = await follow(ann_browser, picture.pk)
    assert answer.status_code == 503
    assert "VideoGen returned no URL for this file" in text(answer)


@pytest.mark.parametrize("status", ["processing", "failed"])
async def test_an_unready_rendition_is_unavailable(status: str, account: Any, ann_browser: Browser) -> None:
    account.control("PUT", "faults", {"faults": [{"kind": "lost_before"}]})
    unready = {**source("https://media.example.org/half", 600), "status": status}
    picture = await runtime.in_db(known, previewSource=unready)
    assert (await follow(ann_browser, picture.pk)).status_code == 503


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "//example.org",
        "/sign-out/",
        "file:///x",
    ],
)
async def test_an_unsafe_url_is_never_followed(url: str, account: Any, ann_browser: Browser) -> None:
    account.control("PUT", "faults", {"faults": [{"kind": "lost_before"}]})
    picture = await runtime.in_db(known, previewSource=source(url, 600))
    assert (await follow(ann_browser, picture.pk)).status_code == 503


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_file_is_not_found(kind: str, ann_browser: Browser) -> None:
    assert ann_browser.get(f"/files/{uuid.uuid4()}/{kind}").status_code == 404


def test_a_link_allows_only_get_and_head(ann_browser: Browser) -> None:
    picture = known(previewSource=source("https://media.example.org/good", 600))
    assert ann_browser.client.head(f"/files/{picture.pk}/preview").status_code == 302
    for method in ("post", "put", "delete"):
        assert getattr(ann_browser.client, method)(f"/files/{picture.pk}/preview").status_code == 405
