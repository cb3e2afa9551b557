"""Uploads through the views to the real sandbox and back: accepted, rejected, and after faults."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from executions.core import runtime
from executions.files import uploads
from executions.files.uploads import UploadRejected
from executions.models import Event, File
from executions.models.file import State
from executions.videogen import parse_event
from executions.webhooks import ingest
from executions.workers import file_worker
from tests.dashboard.browsers import Browser, text
from tests.dashboard.library.sending import processed, send, stored_files
from tests.executions.files.media import png, wav
from tests.factories.files import file
from tests.waiting import until


@pytest.mark.parametrize(("make", "type"), [(png, "IMAGE"), (wav, "AUDIO")])
async def test_a_file_is_uploaded_intact_and_becomes_ready(
    make: Any, type: str, account: Any, ann_browser: Browser
) -> None:
    body = make()
    answer = await send(ann_browser, body, "my pier (final).bin")
    assert answer.status_code == 201
    uploaded = answer.json()
    made = (await stored_files())[0]
    assert uploaded == {
        "id": str(made.pk),
        "remote_id": made.remote_id,
        "name": "my pier (final).bin",
        "type": type,
        "state": "processing",
        "problem": "",
        "url": f"/files/{made.pk}/",
        "thumbnail_url": f"/files/{made.pk}/thumbnail",
    }
    assert (made.origin, made.created_by_id, made.bytes) == ("upload", ann_browser.user.pk, len(body))
    made = await processed(made.pk)
    assert made.state == State.READY
    link = await ann_browser.aget(f"/files/{made.pk}/download")
    got = b"".join([piece async for piece in link.streaming_content])
    if type == "AUDIO":
        assert hashlib.sha256(got).digest() == hashlib.sha256(body).digest()
    event = await runtime.in_db(
        lambda: Event.objects.select_related("actor").filter(file=made).order_by("id").first()
    )
    assert (event.kind, event.source, event.actor.pk) == ("file uploaded", "person", ann_browser.user.pk)


async def test_events_make_a_file_ready_without_polling(account: Any, ann_browser: Browser) -> None:
    remote_id = (await send(ann_browser, png())).json()["remote_id"]

    async def hydrated() -> Any:
        answer = account.call("POST", f"/v1/files/{remote_id}/hydrate").json()
        return answer if answer["downloadSource"]["status"] == "ready" else None

    body = {
        "event": "file.upload.completed",
        "fileId": remote_id,
        "occurredAt": 1,
        "file": await until(hydrated),
    }
    for _ in range(2):
        await runtime.in_db(ingest.receive, "msg_1", parse_event(body), {}, b"{}")
    assert (await stored_files())[0].state == State.READY
    found = {**body, "event": "file.analysis_completed"}
    found["file"]["description"] = "A small picture of one colour."
    await runtime.in_db(ingest.receive, "msg_2", parse_event(found), {}, b"{}")
    made = (await stored_files())[0]
    assert (made.analysis_state, made.description) == ("FULFILLED", "A small picture of one colour.")
    # A late event reverts nothing.
    late = {**body, "event": "file.upload.failed", "error": {"message": "too late"}}
    await runtime.in_db(ingest.receive, "msg_3", parse_event(late), {}, b"{}")
    assert (await stored_files())[0].state == State.READY


async def test_an_event_before_the_response_to_the_put_counts(account: Any, people: Any) -> None:
    """VideoGen may report a file as ready before our thread has stored that it was uploaded."""
    made = await runtime.in_db(file, "vg_file_fast", state=State.UPLOADING, created_by=people.ann)
    body = {"event": "file.download_ready", "fileId": "vg_file_fast", "occurredAt": 1, "file": {"fileId": "vg_file_fast", "scope": "GLOBAL", "downloadSource": {"status": "ready", "url": "https://media.example.org/x"}}}  # fmt: skip
    await runtime.in_db(ingest.receive, "msg_1", parse_event(body), {}, b"{}")
    await runtime.in_db(uploads._mark_uploaded, made, people.ann.pk)
    assert (await stored_files())[0].state == State.READY


async def test_a_file_that_videogen_cannot_process_shows_the_reason(
    account: Any, ann_browser: Browser
) -> None:
    fault = {"kind": "upload", "fail": "The picture is broken.", "match": "broken.png"}
    account.control("PUT", "faults", {"faults": [fault]})
    uploaded = (await send(ann_browser, png(), "broken.png")).json()
    body = {"event": "file.upload.failed", "fileId": uploaded["remote_id"], "occurredAt": 1, "error": {"message": "The picture is broken."}, "file": {"fileId": uploaded["remote_id"], "scope": "GLOBAL"}}  # fmt: skip
    await runtime.in_db(ingest.receive, "msg_1", parse_event(body), {}, b"{}")
    page = text(await ann_browser.aget(uploaded["url"]))
    assert "The picture is broken." in page
    assert "broken.png" not in text(await ann_browser.aget("/files/"))


async def test_a_failure_without_an_event_is_found_by_polling(account: Any, ann_browser: Browser) -> None:
    account.control("PUT", "faults", {"faults": [{"kind": "upload", "fail": "The picture is broken."}]})
    uploaded = (await send(ann_browser, png())).json()
    made = await processed(uploaded["id"])
    assert (made.state, made.next_poll_at) == (State.FAILED, None)
    assert made.problem


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"", 400, "The file is empty."),
        (b"<html><script>alert(1)</script>", 415, "does not accept this type of file"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "does not accept this type of file"),
        (b"%PDF-1.7 " * 100, 415, "does not accept this type of file"),
    ],
)
async def test_a_wrong_type_with_a_right_name_is_never_sent(
    body: bytes, status: int, words: str, account: Any, ann_browser: Browser
) -> None:
    for query in ("", f"&check={len(body)}"):
        answer = await send(ann_browser, body, "holiday.png", query)
        assert answer.status_code == status
        assert words in answer.json()["error"]
    assert await stored_files() == []


async def test_the_first_bytes_are_enough_to_reject_a_file(account: Any, ann_browser: Browser) -> None:
    good = await send(ann_browser, png(), query="&check=2000000000")
    assert (good.status_code, good.json()) == (200, {"type": "IMAGE"})
    large = await send(ann_browser, png(), query=f"&check={uploads.MAX_BYTES + 1}")
    assert (large.status_code, large.json()["error"]) == (413, "The file is larger than 4 GB.")
    for size in ("-1", "many", "1e9", "²", "9" * 50):
        assert (await send(ann_browser, png(), query=f"&check={size}")).status_code == 400
    assert await stored_files() == [], "nothing was uploaded"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../../etc/passwd", "passwd"),
        ("a\r\nSet-Cookie: x=1\n.png", "a Set-Cookie: x=1 .png"),
        ('"quoted"; filename="evil.exe', '"quoted"; filename="evil.exe'),
        ("é" * 255 + ".png", None),
        ("", "Untitled"),
        ("\x00", "Untitled"),
        ("<b>&amp;</b>.png", "b>.png"),
    ],
)
async def test_hostile_names_are_safe(
    name: str, shown: str | None, account: Any, ann_browser: Browser
) -> None:
    answer = await send(ann_browser, png(), name)
    assert answer.status_code == 201
    stored_name = answer.json()["name"]
    assert stored_name == shown or shown is None
    assert len(stored_name.encode()) <= 255
    there = account.call("GET", f"/v1/files/{answer.json()['remote_id']}").json()
    assert there["displayName"] == stored_name
    page = await ann_browser.aget(answer.json()["url"])
    assert "<b>&amp;</b>" not in page.content.decode()
    link = await ann_browser.aget(f"{answer.json()['url']}preview")
    assert "\n" not in link.headers.get("Location", "")
    assert "content-disposition" not in {key.lower() for key in link.headers}


# --- faults -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "options"),
    [("expired", {}), ("status", {"status": 503}), ("lost_before", {}), ("lost_after", {})],
)
async def test_a_failed_transfer_is_repeated_with_a_new_file(
    kind: str, options: dict[str, Any], account: Any, ann_browser: Browser
) -> None:
    fault = {"kind": kind, "match": "PUT /incoming/*", "count": 1, **options}
    account.control("PUT", "faults", {"faults": [fault]})
    answer = await send(ann_browser, png())
    assert answer.status_code == 201
    made = await processed(answer.json()["id"])
    assert made.state == State.READY
    assert len(await stored_files()) == 1, "one file, however many attempts"


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ({"kind": "expired", "match": "PUT /incoming/*"}, 502, "has expired"),
        ({"kind": "status", "status": 503, "match": "PUT /incoming/*"}, 502, "Nothing was uploaded"),
        ({"kind": "lost_before", "match": "PUT /incoming/*"}, 502, "Nothing was uploaded"),
        ({"kind": "status", "status": 500, "match": "POST /v1/files/upload"}, 502, "Nothing was uploaded"),
        ({"kind": "unauthorized", "match": "POST /v1/files/upload"}, 503, "VideoGen rejects the API key"),
    ],
)
async def test_a_failed_upload_is_a_clean_error(
    fault: dict[str, Any], status: int, words: str, account: Any, ann_browser: Browser
) -> None:
    account.control("PUT", "faults", {"faults": [fault]})
    answer = await send(ann_browser, png())
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert all(each.state == State.FAILED and each.next_poll_at is None for each in await stored_files())
    assert "pier" not in text(await ann_browser.aget("/files/")), "no partial file is in the library"
    account.control("DELETE", "faults")
    again = await send(ann_browser, png())
    assert again.status_code == 201, "a second attempt works"


async def test_a_rate_limit_says_when_to_try_again(account: Any, ann_browser: Browser) -> None:
    limits = {"POST /v1/files/upload": {"limit": 0, "seconds": 600}}
    account.control("PUT", "faults", {"limits": limits})
    answer = await send(ann_browser, png())
    assert answer.status_code == 429
    assert re.search(r"Try again in 1[01] minutes\.", answer.json()["error"])


async def test_a_cancelled_upload_fails(account: Any, people: Any) -> None:
    fault = {"kind": "slow", "seconds": 5, "match": "PUT /incoming/*"}
    account.control("PUT", "faults", {"faults": [fault]})
    body = png()
    running = asyncio.create_task(uploads.upload(io.BytesIO(body), len(body), "pier.png", people.ann))

    async def is_under_way() -> bool:
        return [each.state for each in await stored_files()] == [State.UPLOADING]

    await until(is_under_way)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    made = (await stored_files())[0]
    assert (made.state, made.problem) == (State.FAILED, "The upload was cancelled.")


async def test_an_upload_of_a_dead_process_fails(account: Any, people: Any) -> None:
    now = timezone.now()
    dead = await runtime.in_db(
        file, state=State.UPLOADING, created_at=now - uploads.ABANDONED_AFTER, next_poll_at=now
    )
    alive = await runtime.in_db(file, state=State.UPLOADING, next_poll_at=now)
    for each in await runtime.in_db(file_worker.claim_due, 10):
        await file_worker.process(each)
    dead, alive = [await runtime.in_db(File.objects.get, pk=each.pk) for each in (dead, alive)]
    assert (dead.state, dead.problem) == (State.FAILED, uploads.INTERRUPTED)
    assert alive.state == State.UPLOADING
    assert alive.next_poll_at is not None


async def test_an_empty_file_is_rejected(account: Any, people: Any) -> None:
    with pytest.raises(UploadRejected, match="empty"):
        await uploads.upload(io.BytesIO(b""), 0, "pier.png", people.ann)


# --- without JavaScript -----------------------------------------------------------------------------------


async def test_a_form_uploads_several_files(account: Any, ann_browser: Browser) -> None:
    given = [SimpleUploadedFile("one.png", png()), SimpleUploadedFile("two.wav", wav())]
    answer = await ann_browser.async_client.post("/files/upload/", {"file": given})
    assert (answer.status_code, answer["Location"]) == (303, "/files/upload/")
    assert {each.display_name for each in await stored_files()} == {"one.png", "two.wav"}


async def test_a_form_lists_rejected_files(account: Any, ann_browser: Browser) -> None:
    given = [SimpleUploadedFile("one.png", png()), SimpleUploadedFile("page.png", b"<html>")]
    answer = await ann_browser.async_client.post("/files/upload/", {"file": given})
    assert answer.status_code == 422
    words = text(answer)
    assert "page.png: VideoGen does not accept this type of file" in words
    assert "1 other file was uploaded" in words
    empty = await ann_browser.async_client.post("/files/upload/", {})
    assert "Choose at least one file." in text(empty)


async def test_an_upload_without_a_csrf_token_is_rejected(account: Any, people: Any) -> None:
    from tests.dashboard.browsers import signed_in

    browser = await runtime.in_db(signed_in, people.ann, enforce_csrf_checks=True)
    assert (await send(browser, png())).status_code == 403
    assert await stored_files() == []
