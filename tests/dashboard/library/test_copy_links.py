"""Files that VideoGen no longer has are served from our copy: in ranges, as images, never as active content."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from executions import policy
from executions.copies import requests as copy_requests
from executions.copies import storage as copy_storage
from executions.core import runtime
from executions.exports import zip_archive
from executions.models import File
from tests.dashboard.browsers import Browser, text
from tests.executions.copies import copying
from tests.executions.files.media import png, wav
from tests.executions.files.media_server import serving
from tests.markup import every, one

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


# Real transactions, because threads of the domain use other connections.
pytestmark = pytest.mark.usefixtures("transactional_db")


async def only_copied(content: bytes, mime: str = "application/octet-stream", **columns: Any) -> File:
    """A file that VideoGen no longer has, with a copy."""
    async with serving(content, mime) as media:
        made = await copying.make_copy(await runtime.in_db(media.file, **columns))
    gone = {"gone_at": timezone.now(), "snapshot": {}}
    await runtime.in_db(File.objects.filter(pk=made.pk).update, **gone)
    return await copying.reload(made)


async def body(answer: Any) -> bytes:
    return b"".join([piece async for piece in answer.streaming_content])


async def test_all_links_serve_the_copy(ann_browser: Browser) -> None:
    content = png()
    made = await only_copied(content)
    for kind, disposition in (("preview", "inline"), ("thumbnail", "inline"), ("download", "attachment")):
        answer = await ann_browser.aget(f"/files/{made.pk}/{kind}")
        assert answer.status_code == 200
        assert answer["Content-Disposition"] == f'{disposition}; filename="The pier.png"'
        assert answer["Content-Type"] == "image/png"
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Accept-Ranges"] == "bytes"
        assert await body(answer) == content


@pytest.mark.parametrize(
    ("requested", "status", "found", "content_range"),
    [
        ("bytes=0-3", 206, slice(0, 4), "bytes 0-3/{}"),
        ("bytes=100-", 206, slice(100, None), "bytes 100-{last}/{}"),
        ("bytes=-10", 206, slice(-10, None), "bytes {tenth}-{last}/{}"),
        ("bytes=0-999999", 200, slice(None), None),
        ("bytes=5-2", 416, None, "bytes */{}"),
        ("bytes=999999-", 416, None, "bytes */{}"),
        ("bytes=-0", 416, None, "bytes */{}"),
        ("bytes=0-1,4-5", 200, slice(None), None),
        ("lines=1-2", 200, slice(None), None),
        (f"bytes={'9' * 40}-", 200, slice(None), None),
    ],
)
async def test_players_get_the_ranges_that_they_request(
    requested: str, status: int, found: slice | None, content_range: str | None, ann_browser: Browser
) -> None:
    content = wav()
    made = await only_copied(content, type="AUDIO")
    answer = await ann_browser.aget(f"/files/{made.pk}/preview", headers={"Range": requested})
    assert answer.status_code == status
    size = len(content)
    if content_range is not None:
        assert answer["Content-Range"] == content_range.format(size, last=size - 1, tenth=size - 10)
    if found is not None:
        assert await body(answer) == content[found]
        assert answer["Content-Length"] == str(len(content[found]))


async def test_a_stale_if_range_gets_the_whole_file(ann_browser: Browser) -> None:
    made = await only_copied(wav(), type="AUDIO")
    headers = {"Range": "bytes=0-3", "If-Range": '"older"'}
    assert (await ann_browser.aget(f"/files/{made.pk}/preview", headers=headers)).status_code == 200
    cached = {"If-None-Match": f'"{made.copy_sha256}"'}
    assert (await ann_browser.aget(f"/files/{made.pk}/preview", headers=cached)).status_code == 304


@pytest.mark.parametrize(
    ("content", "mime"), [(SVG, "image/svg+xml"), (b"<script>alert(1)</script>", "application/octet-stream")]
)
@pytest.mark.parametrize("kind", ["preview", "download"])
async def test_active_content_is_always_an_attachment(
    kind: str, content: bytes, mime: str, ann_browser: Browser
) -> None:
    made = await only_copied(content, "text/html")
    answer = await ann_browser.aget(f"/files/{made.pk}/{kind}")
    await body(answer)
    assert answer["Content-Type"] == mime
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert answer["X-Content-Type-Options"] == "nosniff"


VIDEO = b"\0\0\0\x18ftypisom" + bytes(100)


async def test_a_video_copy_is_not_its_own_thumbnail(account: Any, ann_browser: Browser) -> None:
    made = await only_copied(VIDEO, type="VIDEO")
    assert made.copy_thumbnail == ""
    assert (await ann_browser.aget(f"/files/{made.pk}/thumbnail")).status_code == 404
    answer = await ann_browser.aget(f"/files/{made.pk}/preview")
    assert (answer.status_code, answer["Content-Type"]) == (200, "video/mp4")
    await body(answer)


async def test_the_thumbnail_of_a_video_is_stored_with_the_copy(ann_browser: Browser) -> None:
    picture = png()
    async with serving(picture, "image/png") as pictures, serving(VIDEO, "video/mp4") as media:
        snapshot = {
            "fileId": "vg_file_1",
            **media.report(),
            "thumbnailSource": pictures.report()["downloadSource"],
        }
        made = await copying.make_copy(await runtime.in_db(media.file, type="VIDEO", snapshot=snapshot))
    gone = {"gone_at": timezone.now(), "snapshot": {}}
    await runtime.in_db(File.objects.filter(pk=made.pk).update, **gone)
    answer = await ann_browser.aget(f"/files/{made.pk}/thumbnail")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/png")
    assert await body(answer) == picture
    assert len(copying.stored_files()) == 2


async def test_the_copy_is_served_while_videogen_does_not_respond(ann_browser: Browser) -> None:
    content = png()
    made = await only_copied(content)
    await runtime.in_db(File.objects.filter(pk=made.pk).update, gone_at=None)
    answer = await ann_browser.aget(f"/files/{made.pk}/preview")
    assert (answer.status_code, await body(answer)) == (200, content)


async def test_the_request_that_notices_the_loss_serves_the_copy(account: Any, ann_browser: Browser) -> None:
    content = png()
    made = await only_copied(content, remote_id="vg_file_that_never_was")
    await runtime.in_db(File.objects.filter(pk=made.pk).update, gone_at=None)
    answer = await ann_browser.aget(f"/files/{made.pk}/preview")
    assert (answer.status_code, await body(answer)) == (200, content)
    assert (await copying.reload(made)).gone_at is not None


async def copied_files(*names: str) -> list[File]:
    """Files with copies that VideoGen does not know."""
    async with serving(png(), "image/png") as media:
        return [await copying.make_copy(await runtime.in_db(media.file, name)) for name in names]


async def test_a_copy_deleted_by_hand_counts_as_missing_while_videogen_has_the_file(
    ann_browser: Browser,
) -> None:
    made, _ = await copied_files("vg_file_1", "vg_file_2")
    copy_storage.path(made.copy_path).unlink()
    await ann_browser.aget(f"/files/{made.pk}/download")
    assert (await copying.reload(made)).copied_at is None
    assert await runtime.in_db(copy_requests.request_copy, await copying.reload(made), policy.SYSTEM), (
        "it can be copied again"
    )


@pytest.mark.parametrize("missing", [("vg_file_1",), ("vg_file_1", "vg_file_3"), ("vg_file_1", "vg_file_2", "vg_file_3")])  # fmt: skip
async def test_any_number_of_deleted_copies_can_be_made_again(
    missing: tuple[str, ...], ann_browser: Browser
) -> None:
    made = await copied_files("vg_file_1", "vg_file_2", "vg_file_3")
    gone = [each for each in made if each.remote_id in missing]
    for each in gone:
        copy_storage.path(each.copy_path).unlink()
    for each in gone:
        await ann_browser.aget(f"/files/{each.pk}/download")
        assert await runtime.in_db(copy_requests.request_copy, await copying.reload(each), policy.SYSTEM)


async def test_an_unmounted_folder_loses_no_copy(account: Any, ann_browser: Browser) -> None:
    """A page view while the disk is not mounted must not clear the paths of all copies."""
    gone = await only_copied(png(), remote_id="vg_file_that_never_was")
    there, other = await copied_files("vg_file_2", "vg_file_3")
    folder = Path(settings.KEEP_FOLDER)
    away = await asyncio.to_thread(folder.rename, folder.with_name("away"))
    answer = await ann_browser.aget(f"/files/{gone.pk}/preview")
    assert answer.status_code == 503
    assert "the Rushes copy cannot be read right now" in text(answer)
    for each in (gone, there, other):
        await ann_browser.aget(f"/files/{each.pk}/download")
    await asyncio.to_thread(away.rename, folder)
    for each in (gone, there, other):
        answer = await ann_browser.aget(f"/files/{each.pk}/download")
        assert answer.status_code == 200
        assert hashlib.sha256(await body(answer)).hexdigest() == each.copy_sha256


async def test_the_path_of_the_only_copy_is_never_cleared(account: Any, ann_browser: Browser) -> None:
    gone = await only_copied(png(), remote_id="vg_file_that_never_was")
    await copied_files("vg_file_2")
    place = copy_storage.path(gone.copy_path)
    moved = place.rename(place.with_name("moved"))
    assert (await ann_browser.aget(f"/files/{gone.pk}/preview")).status_code == 503
    moved.rename(place)
    assert (await ann_browser.aget(f"/files/{gone.pk}/preview")).status_code == 200


async def test_an_unreadable_copy_stays_recorded(
    ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = await copied_files("vg_file_1", "vg_file_2")
    stat = Path.stat

    def refuses(path: Path, **options: Any) -> Any:
        if path.name == Path(made.copy_path).name:
            raise OSError(errno.EIO, "Input/output error")
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", refuses)
    await ann_browser.aget(f"/files/{made.pk}/download")
    assert (await copying.reload(made)).copied_at is not None


async def test_a_batch_download_contains_the_copy_of_a_lost_file() -> None:
    content = png()
    made = await only_copied(content)
    wanted = [zip_archive.Entry(made.pk, "001 pier")]
    pieces = [piece async for piece in zip_archive.stream(wanted)]
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archived:
        assert {name: archived.read(name) for name in archived.namelist()} == {"001 pier.png": content}
    copy_storage.path(made.copy_path).unlink()
    pieces = [piece async for piece in zip_archive.stream(wanted)]
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archived:
        assert "the Rushes copy cannot be read" in archived.read("_missing.txt").decode()


# --- the file's page --------------------------------------------------------------------------------------


async def test_a_copy_is_requested_on_the_page_and_its_progress_shown(ann_browser: Browser) -> None:
    content = png(padding=1000)
    async with serving(content) as media:
        made = await runtime.in_db(media.file)
        assert "Store a copy" in text(await ann_browser.aget(f"/files/{made.pk}/"))
        answer = await ann_browser.apost(f"/files/{made.pk}/keep/")
        assert (answer.status_code, answer["Location"]) == (303, f"/files/{made.pk}/#copy")
        answer = await ann_browser.aget(f"/files/{made.pk}/")
        assert "queued" in text(one(answer, "#copy"))
        assert every(answer, '[hx-trigger="every 3s"]'), "the page refreshes itself"
        media.breaks = [20]
        await copying.attempt(made)
        page = text(await ann_browser.aget(f"/files/{made.pk}/"))
        assert "The connection to VideoGen's storage was lost. Next attempt" in page.replace("&#x27;", "'")
        made = await copying.attempt(made)
    page = text(await ann_browser.aget(f"/files/{made.pk}/"))
    assert made.copy_sha256 in page
    assert "In the Rushes folder" in page
    assert "a copy was made, requested by you" in page
    assert "Store a copy" not in page


async def test_temporary_files_show_when_they_may_be_removed(ann_browser: Browser) -> None:
    async with serving(png()) as media:
        made = await runtime.in_db(media.file, scope="TEMPORARY", created_at=timezone.now())
        page = text(await ann_browser.aget(f"/files/{made.pk}/"))
        assert "VideoGen may remove it any time after" in page
        assert "Temporary, may be removed in 23 h" in text(await ann_browser.aget("/files/"))
        old = timezone.now() - timedelta(hours=25)
        await runtime.in_db(File.objects.filter(pk=made.pk).update, created_at=old)
        assert "may remove it at any time." in text(await ann_browser.aget(f"/files/{made.pk}/"))
        assert "Temporary, may be removed any time" in text(await ann_browser.aget("/files/"))
