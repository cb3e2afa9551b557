"""Downloads are attachments whatever the media server sends: the bytes are proxied, a few at a time."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from executions.core import runtime
from executions.files.media_http import IncompleteResponse
from tests.dashboard.browsers import Browser, text
from tests.executions.files.media import png, wav
from tests.executions.files.media_server import serving
from tests.waiting import DEADLINE, until

PICTURE = png(padding=100_000)


# Real transactions, because threads of the domain use other connections.
pytestmark = pytest.mark.usefixtures("transactional_db")


async def body(answer: Any) -> bytes:
    return b"".join([piece async for piece in answer.streaming_content])


async def test_a_download_is_an_attachment_with_the_files_name(ann_browser: Browser) -> None:
    async with serving(PICTURE, "image/png") as media:
        made = await runtime.in_db(media.file, display_name="Pier “at” dusk; café")
        answer = await ann_browser.aget(f"/files/{made.pk}/download")
        assert answer.status_code == 200
        assert await body(answer) == PICTURE
    assert answer["Content-Disposition"] == (
        "attachment; filename*=utf-8''Pier%20%E2%80%9Cat%E2%80%9D%20dusk%3B%20caf%C3%A9.png"
    )
    assert answer["Content-Type"] == "image/png"
    assert answer["Content-Length"] == str(len(PICTURE))
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
    assert "signature" not in str(answer.headers), "the signed URL is not revealed"


async def test_a_range_of_a_download_is_served(ann_browser: Browser) -> None:
    async with serving(PICTURE, "image/png") as media:
        made = await runtime.in_db(media.file)
        answer = await ann_browser.aget(f"/files/{made.pk}/download", headers={"Range": "bytes=5-99"})
        assert answer.status_code == 206
        assert answer["Content-Range"] == f"bytes 5-99/{len(PICTURE)}"
        assert await body(answer) == PICTURE[5:100]


@pytest.mark.parametrize(
    "content_type", ["text/html; charset=utf-8", "application/xhtml+xml", "text/javascript", ""]
)
async def test_active_content_is_sent_as_octet_stream(content_type: str, ann_browser: Browser) -> None:
    async with serving(b"<script>alert(1)</script>", content_type) as media:
        made = await runtime.in_db(media.file, display_name="page.html")
        answer = await ann_browser.aget(f"/files/{made.pk}/download")
        await body(answer)
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment")


async def test_a_rejected_signed_url_is_replaced(account: Any, ann_browser: Browser) -> None:
    started = account.call("POST", "/v1/files/upload", {"displayName": "horn.wav"}).json()
    async with httpx.AsyncClient(trust_env=False) as browser:
        (await browser.put(started["uploadUrl"], content=wav())).raise_for_status()

    async def ready() -> bool:
        hydrated = account.call("POST", f"/v1/files/{started['fileId']}/hydrate").json()
        return hydrated["downloadSource"]["status"] == "ready"

    await until(ready)
    async with serving(b"") as media:
        media.statuses = [403]
        made = await runtime.in_db(media.file, started["fileId"], type="AUDIO")
        answer = await ann_browser.aget(f"/files/{made.pk}/download")
        assert answer.status_code == 200
        assert await body(answer) == wav()
        assert len(media.heads) == 1


async def test_a_failing_media_server_shows_an_error_page(account: Any, ann_browser: Browser) -> None:
    async with serving(PICTURE) as media:
        made = await runtime.in_db(media.file, "vg_file_that_never_was")
        media.statuses = [403]
        answer = await ann_browser.aget(f"/files/{made.pk}/download")
        assert answer.status_code == 404
        assert "VideoGen no longer has this file" in text(answer)
        gone = await runtime.in_db(media.file, "vg_file_2")
    answer = await ann_browser.aget(f"/files/{gone.pk}/download")
    assert answer.status_code == 503
    assert "cannot be reached" in text(answer)


async def test_a_head_request_sends_no_body(ann_browser: Browser) -> None:
    async with serving(PICTURE, "image/png") as media:
        media.may_end.clear()
        made = await runtime.in_db(media.file)
        answer = await ann_browser.async_client.head(f"/files/{made.pk}/download")
        assert (answer.status_code, answer["Content-Length"]) == (200, str(len(PICTURE)))
        assert answer.content == b""


async def test_a_client_that_disconnects_closes_the_connection_to_the_media_server(
    ann_browser: Browser,
) -> None:
    async with serving(png(padding=8_000_000), "image/png") as media:
        made = await runtime.in_db(media.file)
        answer = await ann_browser.aget(f"/files/{made.pk}/download")
        pieces = aiter(answer.streaming_content)
        assert await anext(pieces)
        await asyncio.to_thread(answer.close)
        async with asyncio.timeout(DEADLINE):
            await media.closed.wait()


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "pier.png\r\nX-Evil: 1", 'a"; filename="evil.exe', "\u202egnp.exe", "a\x00b", ""],
)
async def test_a_hostile_name_is_safe_in_the_header(name: str, ann_browser: Browser) -> None:
    async with serving(PICTURE, "image/png") as media:
        made = await runtime.in_db(media.file, display_name=name.replace("\x00", ""))
        answer = await ann_browser.aget(f"/files/{made.pk}/download")
        await body(answer)
    header = answer["Content-Disposition"]
    assert header.startswith("attachment; filename")
    assert "X-Evil" not in answer.headers
    assert not set(header) & set("\r\n\u202e/\x00")
    assert "evil.exe" not in header or '\\"; filename=\\"evil.exe' in header


async def test_an_interrupted_download_fails(ann_browser: Browser) -> None:
    async with serving(PICTURE, "image/png") as media:
        media.breaks = [1000]
        made = await runtime.in_db(media.file)
        answer = await ann_browser.aget(f"/files/{made.pk}/download")
        with pytest.raises(IncompleteResponse) as raised:
            await body(answer)
    assert raised.value.__context__ is None, "the logged traceback does not contain the signed URL"
