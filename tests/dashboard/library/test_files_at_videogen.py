"""Files at VideoGen: archived, published, searched, removed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from executions.core import runtime
from executions.files import actions as file_actions
from executions.models import Event, File
from executions.sync import file_import
from executions.videogen import NotFound
from executions.workers import file_worker
from tests.dashboard.browsers import Browser, text
from tests.dashboard.library.sending import processed, send, stored_files
from tests.executions.files.media import png, wav
from tests.factories.files import file
from tests.waiting import until


async def ready(account: Any, ann_browser: Browser, body: bytes, name: str) -> File:
    return await processed((await send(ann_browser, body, name)).json()["id"])


async def test_videogen_archives_a_file_after_the_undo_period(account: Any, ann_browser: Browser) -> None:
    made = await ready(account, ann_browser, png(), "old.png")
    listed = lambda: made.remote_id in str(account.call("GET", "/v1/files?limit=200").json())  # noqa: E731
    await ann_browser.apost(f"/files/{made.pk}/archive/")
    made = await processed(made.pk)
    assert made.archive_reported_at is None
    assert listed(), "it can still be undone"
    assert made.next_poll_at is not None
    over = timezone.now() - file_actions.UNDO_WINDOW
    await runtime.in_db(File.objects.filter(pk=made.pk).update, archived_at=over)

    async def settled() -> File | None:
        # Its analysis may still be pending; then it is polled again.
        found = await processed(made.pk)
        return found if found.next_poll_at is None else None

    assert (await until(settled)).archive_reported_at is not None
    assert not listed()
    await ann_browser.apost(f"/files/{made.pk}/restore/")
    assert "old.png" in text(await ann_browser.aget("/files/"))
    assert (await ann_browser.aget(f"/files/{made.pk}/preview")).status_code == 302


async def test_a_public_preview_is_published_viewed_and_withdrawn(
    account: Any, ann_browser: Browser, ben_browser: Browser
) -> None:
    made = await ready(account, ann_browser, wav(), "horn.wav")
    until_day = (timezone.now()).date().isoformat()
    answer = await ann_browser.apost(f"/files/{made.pk}/publish/", {"until": until_day, "sure": "on"})
    assert (answer.status_code, answer["Location"]) == (303, f"/files/{made.pk}/#public")
    made = await runtime.in_db(File.objects.get, pk=made.pk)
    assert made.public_by_id == ann_browser.user.pk
    assert made.public_until is not None
    page = (await ben_browser.aget(f"/files/{made.pk}/public/")).content.decode()
    from dashboard.library.sharing import Sharing

    sharing = Sharing(made)
    assert sharing.static_url in page
    async with httpx.AsyncClient(trust_env=False) as visitor:
        assert (await visitor.get(sharing.static_url)).status_code == 200
        assert sharing.playback_id in text(await ann_browser.aget(f"/files/{made.pk}/"))
        assert "horn.wav" in text(await ben_browser.aget("/files/public/"))
        # Its end date comes.
        await runtime.in_db(File.objects.filter(pk=made.pk).update, public_until=timezone.now())
        await processed(made.pk)
        assert (await visitor.get(sharing.static_url)).status_code == 404
    made = await runtime.in_db(File.objects.get, pk=made.pk)
    assert (made.public_since, made.public_until, made.public_by_id) == (None, None, None)
    events = await runtime.in_db(
        lambda: list(Event.objects.filter(file=made).values_list("kind", "source", "actor"))
    )
    assert events[1:] == [
        ("file published", "person", ann_browser.user.pk),
        ("file withdrawn", "system", None),
    ]
    assert (await ann_browser.aget(f"/files/{made.pk}/public/")).status_code == 404
    assert (await ann_browser.aget(f"/files/{made.pk}/preview")).status_code == 302, (
        "links of Rushes still work"
    )


async def test_a_failed_withdrawal_stays_listed(account: Any, ann_browser: Browser) -> None:
    made = await ready(account, ann_browser, wav(), "horn.wav")
    await ann_browser.apost(f"/files/{made.pk}/publish/", {"until": "", "sure": "on"})
    account.control("PUT", "faults", {"faults": [{"kind": "status", "status": 500, "match": "POST /v1/files/*/disable*"}]})  # fmt: skip
    answer = await ann_browser.apost(f"/files/{made.pk}/withdraw/", {"from": "register"})
    assert answer["Location"] == "/files/public/"
    words = text(await ann_browser.aget("/files/public/"))
    assert "horn.wav" in words
    assert "the file may still be public" in words
    account.control("DELETE", "faults")
    await ann_browser.apost(f"/files/{made.pk}/withdraw/", {})
    assert "horn.wav" not in text(await ann_browser.aget("/files/public/"))


async def test_a_lost_response_leaves_the_file_listed(account: Any, ann_browser: Browser) -> None:
    """It may be public, so it must be listed and must expire on its end date."""
    made = await ready(account, ann_browser, wav(), "horn.wav")
    account.control(
        "PUT", "faults", {"faults": [{"kind": "lost_after", "match": "POST /v1/files/*/enable*"}]}
    )
    answer = await ann_browser.apost(f"/files/{made.pk}/publish/", {"until": "", "sure": "on"})
    assert answer.status_code == 422
    account.control("DELETE", "faults")
    assert "horn.wav" in text(await ann_browser.aget("/files/public/"))


async def test_search_by_content_imports_what_it_finds(account: Any, ann_browser: Browser) -> None:
    body = {"prompt": "an umbrella of violet glass", "numResults": 1}
    started = account.call("POST", "/v1/tools/generate-image", body).json()["toolExecutionId"]

    async def analysed() -> Any:
        results = account.call("GET", f"/v1/tools/executions/{started}").json().get("results")
        there = account.call("GET", f"/v1/files/{results[0]['fileId']}").json() if results else {}
        return there if there.get("description") else None

    there = await until(analysed)
    assert await stored_files() == []
    page = await ann_browser.aget("/files/?q=violet+umbrella&by=meaning")
    words = text(page)
    assert there["displayName"] in words
    assert "Similarity" in words
    assert there["fileId"] in {each.remote_id for each in await stored_files()}
    filtered = await ann_browser.aget("/files/?q=violet+umbrella&by=meaning&type=AUDIO")
    assert there["displayName"] not in text(filtered)
    # The second page view within a minute costs no call of the 500.
    account.control("PUT", "faults", {"faults": [{"kind": "lost_before"}]})
    assert there["displayName"] in text(await ann_browser.aget("/files/?q=violet+umbrella&by=meaning"))


async def test_a_removed_file_is_reported(account: Any, ann_browser: Browser) -> None:
    made = await runtime.in_db(
        file, "vg_file_0000000000000000000000", type="IMAGE", created_by=ann_browser.user
    )
    assert (await ann_browser.aget(f"/files/{made.pk}/preview")).status_code == 404
    assert "VideoGen no longer has this file" in text(await ann_browser.aget(f"/files/{made.pk}/"))
    with pytest.raises(NotFound):
        await runtime.client().hydrate_file(made.remote_id)


async def test_a_file_that_videogen_reports_again_is_available_again(
    account: Any, ann_browser: Browser
) -> None:
    """A 404 may come from another team's key or be temporary, so it is not final."""
    made = await ready(account, ann_browser, wav(), "horn.wav")
    lost = {"gone_at": timezone.now(), "snapshot": {}}
    await runtime.in_db(File.objects.filter(pk=made.pk).update, **lost)
    assert (await ann_browser.aget(f"/files/{made.pk}/preview")).status_code == 302
    assert (await runtime.in_db(File.objects.get, pk=made.pk)).gone_at is None

    await runtime.in_db(File.objects.filter(pk=made.pk).update, **lost)
    wire = await runtime.client().get_file(made.remote_id)
    await runtime.in_db(file_import.store_page, [wire], timezone.now(), 0)
    assert (await runtime.in_db(File.objects.get, pk=made.pk)).gone_at is None


async def test_a_404_for_a_new_file_is_not_final(account: Any, ann_browser: Browser) -> None:
    new = {"type": "IMAGE", "created_at": timezone.now()}
    made = await runtime.in_db(file, "vg_file_0000000000000000000001", **new)
    answer = await ann_browser.aget(f"/files/{made.pk}/preview")
    assert answer.status_code == 503
    assert "does not know this file yet" in text(answer)
    upload = await runtime.in_db(file, "vg_file_0000000000000000000002", state="processing", **new)
    await file_worker.process(upload)
    upload = await runtime.in_db(File.objects.get, pk=upload.pk)
    assert (upload.state, upload.gone_at) == ("processing", None)
    assert upload.next_poll_at is not None
    await runtime.in_db(
        File.objects.filter(pk=upload.pk).update, created_at=timezone.now() - timedelta(minutes=2)
    )
    await file_worker.process(upload)
    upload = await runtime.in_db(File.objects.get, pk=upload.pk)
    assert (upload.state, upload.problem) == ("failed", "VideoGen no longer has this file.")
