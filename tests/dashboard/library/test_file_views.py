"""Links to media that never expire: each leads to a signed address that works, for more than a minute."""

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

# Downloads pass through us: tests/dashboard/library/test_downloads.py.
KINDS = ("preview", "thumbnail")


@pytest.fixture(scope="session")
def made_image(sandbox_process: Any) -> str:
    """A picture that the sandbox has really made: its id there."""

    body = {"prompt": "a lighthouse", "numResults": 1}
    started = sandbox_process.call("POST", "/v1/tools/generate-image", body).json()["toolExecutionId"]

    def results() -> Any:
        return sandbox_process.call("GET", f"/v1/tools/executions/{started}").json().get("results")

    return eventually(results)[0]["file"]["fileId"]


def source(url: str, seconds: float) -> dict[str, Any]:
    expires = timezone.now() + timedelta(seconds=seconds)
    return {"status": "ready", "url": url, "expiresAt": expires.isoformat()}


def known(remote_id: str = "vg_file_1", **sources: dict[str, Any]) -> File:
    """A file as VideoGen once told it."""
    return file(remote_id, type="IMAGE", snapshot={"fileId": remote_id, "type": "IMAGE", **sources})


async def lead(browser: Browser, pk: Any, kind: str = "preview") -> Any:
    return await browser.aget(f"/files/{pk}/{kind}")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_link_leads_to_the_media(
    kind: str, account: Any, ann_browser: Browser, made_image: str
) -> None:
    picture = await runtime.in_db(file, made_image, type="IMAGE")
    answer = await lead(ann_browser, picture.pk, kind)
    assert answer.status_code == 302
    assert answer["Cache-Control"] == "private, max-age=30"
    async with httpx.AsyncClient(trust_env=False) as browser:
        media = await browser.get(answer["Location"])
    assert media.status_code == 200
    assert media.headers["content-type"].startswith("image/")


async def test_the_address_is_good_for_more_than_a_minute_after_its_reuse(
    account: Any, ann_browser: Browser, made_image: str
) -> None:
    picture = await runtime.in_db(file, made_image, type="IMAGE")
    await lead(ann_browser, picture.pk)
    picture = await runtime.in_db(File.objects.get, pk=picture.pk)
    from executions.videogen import File as WireFile

    preview = WireFile.from_wire(picture.snapshot).preview
    assert preview is not None
    assert preview.expires_at is not None
    assert preview.expires_at - timezone.now() > timedelta(seconds=60 + 30)


async def test_an_address_that_is_good_is_used_without_asking(account: Any, ann_browser: Browser) -> None:
    account.control("PUT", "faults", {"faults": [{"kind": "status", "status": 500}]})
    picture = await runtime.in_db(known, previewSource=source("https://media.example.org/good", 95))
    answer = await lead(ann_browser, picture.pk)
    assert (answer.status_code, answer["Location"]) == (302, "https://media.example.org/good")


async def test_an_address_about_to_expire_is_replaced(
    account: Any, ann_browser: Browser, made_image: str
) -> None:
    old = source("https://media.example.org/old", 85)
    picture = await runtime.in_db(known, made_image, previewSource=old)
    answer = await lead(ann_browser, picture.pk)
    assert answer.status_code == 302
    assert answer["Location"].startswith(account.url)


async def test_the_nearest_rendition_stands_in_for_one_that_is_missing(
    account: Any, ann_browser: Browser
) -> None:
    whole = source("https://media.example.org/whole", 600)
    picture = await runtime.in_db(known, downloadSource=whole)
    for kind in KINDS:
        assert (await lead(ann_browser, picture.pk, kind))["Location"] == whole["url"]


async def test_many_who_ask_at_once_share_one_call(
    account: Any, ann_browser: Browser, made_image: str
) -> None:
    picture = await runtime.in_db(file, made_image, type="IMAGE")
    slow = {"kind": "slow", "seconds": 0.5, "match": "POST /v1/files/*", "count": 1}
    limits = {"POST /v1/files/{id}/hydrate": {"limit": 1, "seconds": 3600}}
    account.control("PUT", "faults", {"faults": [slow], "limits": limits})
    answers = await asyncio.gather(*(lead(ann_browser, picture.pk) for _ in range(5)))
    # A second call would have been refused.
    assert [answer.status_code for answer in answers] == [302] * 5


async def test_a_file_that_videogen_no_longer_has_is_not_found(account: Any, ann_browser: Browser) -> None:
    picture = await runtime.in_db(file, "vg_file_that_never_was", type="IMAGE")
    answer = await lead(ann_browser, picture.pk)
    assert answer.status_code == 404
    assert "Page not found" in text(answer)


@pytest.mark.parametrize(
    "fault", [{"kind": "status", "status": 500}, {"kind": "lost_before"}, {"kind": "unauthorized"}]
)
async def test_an_address_that_is_not_given_is_a_clear_word(
    fault: dict[str, Any], account: Any, ann_browser: Browser, made_image: str
) -> None:
    picture = await runtime.in_db(file, made_image, type="IMAGE")
    account.control("PUT", "faults", {"faults": [fault]})
    answer = await lead(ann_browser, picture.pk)
    assert answer.status_code == 503
    assert "VideoGen gave no address for this file" in text(answer)


@pytest.mark.parametrize("status", ["processing", "failed"])
async def test_a_rendition_that_is_not_ready_leads_nowhere(
    status: str, account: Any, ann_browser: Browser
) -> None:
    account.control("PUT", "faults", {"faults": [{"kind": "lost_before"}]})
    unready = {**source("https://media.example.org/half", 600), "status": status}
    picture = await runtime.in_db(known, previewSource=unready)
    assert (await lead(ann_browser, picture.pk)).status_code == 503


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "//elsewhere",
        "/sign-out/",
        "file:///x",
    ],
)
async def test_an_address_that_is_no_web_address_leads_nowhere(
    url: str, account: Any, ann_browser: Browser
) -> None:
    account.control("PUT", "faults", {"faults": [{"kind": "lost_before"}]})
    picture = await runtime.in_db(known, previewSource=source(url, 600))
    assert (await lead(ann_browser, picture.pk)).status_code == 503


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_not_ours_is_not_found(kind: str, ann_browser: Browser) -> None:
    assert ann_browser.get(f"/files/{uuid.uuid4()}/{kind}").status_code == 404


def test_a_link_takes_get_and_head_alone(ann_browser: Browser) -> None:
    picture = known(previewSource=source("https://media.example.org/good", 600))
    assert ann_browser.client.head(f"/files/{picture.pk}/preview").status_code == 302
    for method in ("post", "put", "delete"):
        assert getattr(ann_browser.client, method)(f"/files/{picture.pk}/preview").status_code == 405
