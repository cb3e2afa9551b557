"""Copies in our own storage: complete and checked, resumed after a break, made once, and never left incomplete."""

from __future__ import annotations

import asyncio
import hashlib
import resource
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from executions import policy
from executions.copies import make_copy as copy_worker
from executions.copies import requests as copy_requests
from executions.copies import storage as copy_storage
from executions.core import runtime
from executions.models import CopyRequest, Event
from executions.models.event import FileKind
from executions.team import settings as team_settings
from tests.executions.copies import copying
from tests.executions.files.media import png
from tests.executions.files.media_server import serving
from tests.factories.files import file
from tests.waiting import until

PICTURE = png(padding=3 * 1024 * 1024 + 77)


# Real transactions, because threads of the domain use other connections.
pytestmark = pytest.mark.usefixtures("transactional_db")


async def test_a_copy_is_complete_checked_and_recorded(people: Any) -> None:
    async with serving(PICTURE, "image/png") as media:
        made = await runtime.in_db(media.file)
        made = await copying.make_copy(made, people.ann)
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    assert (made.copy_sha256, made.copy_bytes, made.copy_type) == (sha256, len(PICTURE), "image/png")
    assert copy_storage.path(made.copy_path).read_bytes() == PICTURE
    assert copying.stored_files() == [made.copy_path], "no part is left"
    assert await copying.request_row(made) is None
    event = await runtime.in_db(Event.objects.get, file=made)
    assert (event.kind, event.actor_id) == (FileKind.COPIED, people.ann.pk)
    assert event.detail == {"sha256": sha256, "bytes": len(PICTURE), "type": "image/png"}


async def test_an_interrupted_copy_is_resumed() -> None:
    async with serving(PICTURE) as media:
        media.breaks = [2_000_000]
        made = await runtime.in_db(media.file)
        await runtime.in_db(copy_requests.request_copy, made, policy.SYSTEM)
        made = await copying.attempt(made)
        row = await copying.request_row(made)
        assert made.copied_at is None
        assert 0 < row["received"] < 2_000_001
        assert row["total"] == len(PICTURE)
        assert row["due_at"] > timezone.now()
        made = await copying.attempt(made)
    assert f"range: bytes={row['received']}-" in media.heads[1]
    assert 'if-range: "first"' in media.heads[1]
    assert copy_storage.path(made.copy_path).read_bytes() == PICTURE
    assert made.copy_sha256 == hashlib.sha256(PICTURE).hexdigest()


async def test_bytes_of_different_versions_are_not_mixed() -> None:
    async with serving(PICTURE) as media:
        media.breaks = [2_000_000]
        made = await runtime.in_db(media.file)
        await runtime.in_db(copy_requests.request_copy, made, policy.SYSTEM)
        await copying.attempt(made)
        media.content, media.etag = png(padding=2_500_000), '"second"'
        made = await copying.attempt(made)
    assert copy_storage.path(made.copy_path).read_bytes() == media.content


async def test_a_dead_processs_copy_is_resumed() -> None:
    async with serving(PICTURE) as media:
        made = await runtime.in_db(media.file)
        media.may_end.clear()
        await runtime.in_db(copy_requests.request_copy, made, policy.SYSTEM)
        [mine] = await runtime.in_db(copy_requests.claim_due, 1)
        working = asyncio.create_task(copy_worker.make(mine))

        async def noted() -> bool:
            row = await copying.request_row(made)
            return bool(row["received"])

        await until(noted)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        assert await runtime.in_db(copy_requests.claim_due, 1) == [], "it is still leased"
        await runtime.in_db(copy_requests.release_all)
        media.may_end.set()
        [mine] = await runtime.in_db(copy_requests.claim_due, 1)
        await copy_worker.make(mine)
    made = await copying.reload(made)
    assert "range: bytes=" in media.heads[1]
    assert copy_storage.path(made.copy_path).read_bytes() == PICTURE


def test_parts_that_are_not_requested_are_deleted(people: Any) -> None:
    left, wanted = file(origin="result"), file(origin="result")
    copy_requests.request_copy(wanted, policy.SYSTEM)
    for each in (left, wanted):
        copy_storage.part_of(each).write_bytes(b"part")
    (copy_storage.part_of(left).parent / "other's.part").write_bytes(b"another file")
    copy_requests.sweep_parts()
    assert not copy_storage.part_of(left).exists()
    assert copy_storage.part_of(wanted).exists()
    assert (copy_storage.part_of(left).parent / "other's.part").exists()


def test_one_of_many_processes_makes_the_copy(people: Any) -> None:
    made = file(origin="result")
    copy_requests.request_copy(made, policy.SYSTEM)

    def claim(_: int) -> int:
        try:
            return len(copy_requests.claim_due(5))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(24))) == 1


def test_a_worker_that_lost_its_lease_records_nothing(people: Any) -> None:
    made = file(origin="result")
    copy_requests.request_copy(made, policy.SYSTEM)
    [slow] = copy_requests.claim_due(1)
    copy_requests.release_all()
    [other] = copy_requests.claim_due(1)
    copied = copy_requests.StoredCopy("aa/one.png", "0" * 64, 1, "image/png")
    assert not copy_requests.renew(slow)
    assert not copy_requests.complete(slow, copied)
    copy_requests.record_failure(slow, "too late")
    assert copy_requests.complete(other, copied)
    assert Event.objects.filter(file=made, kind=FileKind.COPIED).count() == 1
    assert not CopyRequest.objects.exists()


@contextmanager
def disk_of(limit: int) -> Iterator[None]:
    """Limit the size of files in bytes: the system rejects writes beyond it, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_reported_and_leaves_no_part() -> None:
    """Fault 52, during a copy. It is retried automatically once there is space."""
    large = png(padding=48 * 1024 * 1024)
    async with serving(large) as media:
        made = await runtime.in_db(media.file)
        await runtime.in_db(copy_requests.request_copy, made, policy.SYSTEM)
        with disk_of(40 * 1024 * 1024):
            made = await copying.attempt(made)
        row = await copying.request_row(made)
        assert made.copied_at is None
        assert "disk of Rushes is full" in row["problem"]
        assert row["due_at"] is not None, "it will be retried"
        assert copying.stored_files() == []
        made = await copying.attempt(made)
    assert made.copy_sha256 == hashlib.sha256(large).hexdigest()


async def test_copies_leave_disk_space_for_the_database(monkeypatch: Any) -> None:
    monkeypatch.setattr(copy_storage, "RESERVE", 1 << 60)
    async with serving(PICTURE) as media:
        made = await runtime.in_db(media.file)
        await runtime.in_db(copy_requests.request_copy, made, policy.SYSTEM)
        made = await copying.attempt(made)
    assert "disk of Rushes is full" in (await copying.request_row(made))["problem"]
    assert copying.stored_files() == []


async def test_a_file_that_videogen_no_longer_has_is_given_up(account: Any) -> None:
    made = await runtime.in_db(file, "vg_file_that_never_was", origin="result")
    await runtime.in_db(copy_requests.request_copy, made, policy.SYSTEM)
    made = await copying.attempt(made)
    row = await copying.request_row(made)
    assert row["due_at"] is None
    assert row["problem"] == "VideoGen no longer has this file. There is nothing to copy."
    assert made.gone_at is not None


async def test_a_rejected_url_is_replaced_once(account: Any) -> None:
    async with serving(PICTURE) as media:
        media.statuses = [403]
        made = await runtime.in_db(media.file, "vg_file_that_never_was")
        await runtime.in_db(copy_requests.request_copy, made, policy.SYSTEM)
        made = await copying.attempt(made)
    # The sandbox does not know the file, which shows that a fresh URL was requested there.
    assert made.gone_at is not None
    assert len(media.heads) == 1


async def test_an_interrupted_response_is_not_a_copy() -> None:
    async with serving(b"x") as media:
        made = await runtime.in_db(media.file)
        media.breaks = [0]
        await runtime.in_db(copy_requests.request_copy, made, policy.SYSTEM)
        made = await copying.attempt(made)
        assert made.copied_at is None
        assert copying.stored_files() in ([], [f".parts/{made.pk}.part"])


@pytest.mark.parametrize(
    ("head", "declared_type", "mime"),
    [
        pytest.param(png(), "text/html", "image/png", id="a picture"),
        (b'<?xml version="1.0"?><svg onload="x()">', "image/svg+xml", "image/svg+xml"),
        (b'<svg xmlns="http://www.w3.org/2000/svg">', "", "image/svg+xml"),
        (b"<!DOCTYPE html><script>x()</script>", "text/html", "application/octet-stream"),
        (b"<html><svg>", "image/png", "application/octet-stream"),
        (b"%PDF-1.7", "application/pdf; x=1", "application/pdf"),
        (b"anything", "text/javascript", "application/octet-stream"),
    ],
)
async def test_the_media_type_of_a_copy_is_detected_from_its_content(
    head: bytes, declared_type: str, mime: str
) -> None:
    async with serving(head, declared_type) as media:
        made = await copying.make_copy(await runtime.in_db(media.file))
    assert made.copy_type == mime


# --- requests ---------------------------------------------------------------------------------------------


def test_requests_are_merged_and_a_given_up_one_is_retried(people: Any) -> None:
    made = file(origin="result")
    assert copy_requests.request_copy(made, people.ann)
    assert copy_requests.request_copy(made, people.ben)
    [mine] = copy_requests.claim_due(5)
    copy_requests.record_failure(mine, "gone", permanent=True)
    assert copy_requests.claim_due(5) == []
    assert copy_requests.request_copy(made, people.ben)
    [mine] = copy_requests.claim_due(5)
    assert (mine.requested_by_id, mine.tries, mine.problem) == (people.ann.pk, 0, "")


def test_copied_and_unready_files_are_not_requested() -> None:
    assert not copy_requests.request_copy(file(copied_at=timezone.now()), policy.SYSTEM)
    assert not copy_requests.request_copy(file(state="processing"), policy.SYSTEM)
    assert not CopyRequest.objects.exists()


def test_retries_back_off_and_end_after_a_day() -> None:
    made = file(origin="result")
    copy_requests.request_copy(made, policy.SYSTEM)
    pauses = []
    for _ in range(12):
        CopyRequest.objects.update(due_at=timezone.now())
        [mine] = copy_requests.claim_due(1)
        copy_requests.record_failure(mine, "no answer")
        due = CopyRequest.objects.get().due_at
        assert due is not None
        pauses.append((due - timezone.now()).total_seconds())
    assert pauses[0] < 10 < pauses[3] < 100 < pauses[6]
    assert pauses[-1] < 3600 * 1.3
    CopyRequest.objects.update(
        requested_at=timezone.now() - copy_requests.GIVE_UP_AFTER * 1.1, due_at=timezone.now()
    )
    [mine] = copy_requests.claim_due(1)
    copy_requests.record_failure(mine, copy_storage.DISK_FULL_MESSAGE, retry_forever=True)
    assert CopyRequest.objects.get().due_at is not None, "a full disk is retried forever"
    CopyRequest.objects.update(due_at=timezone.now())
    [mine] = copy_requests.claim_due(1)
    copy_requests.record_failure(mine, "no answer")
    assert CopyRequest.objects.get().due_at is None


def test_if_every_file_is_copied_the_newest_are_requested_first(monkeypatch: Any) -> None:
    monkeypatch.setattr(copy_requests, "MAX_QUEUED", 3)
    files = [file(origin="result") for _ in range(5)]
    file(origin="account")
    file(origin="upload", state="processing")
    file(origin="result", gone_at=timezone.now())
    file(origin="result", copied_at=timezone.now())
    assert copy_requests.request_missing() == 3
    assert copy_requests.request_missing() == 0, "three are queued"
    wanted = set(CopyRequest.objects.values_list("file_id", flat=True))
    assert wanted == {each.pk for each in files[2:]}
    CopyRequest.objects.update(due_at=None)
    assert copy_requests.request_missing() == 2
    assert CopyRequest.objects.count() == 5


async def test_the_worker_copies_every_file_if_configured(people: Any) -> None:
    await runtime.in_db(team_settings.change, team_settings.COPY_ALL, True, actor=people.ada)
    async with serving(PICTURE) as media:
        made = await runtime.in_db(media.file)
        working = copy_worker.CopyWorker()
        task = asyncio.create_task(working.run())

        async def there() -> bool:
            return (await copying.reload(made)).copied_at is not None

        await until(there)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    event = await runtime.in_db(Event.objects.get, file=made)
    assert event.source == "system"


async def test_an_operator_verifies_the_copies() -> None:
    from io import StringIO

    from django.core.management import CommandError, call_command

    async with serving(PICTURE) as media:
        whole = await copying.make_copy(await runtime.in_db(media.file))
        changed = await copying.make_copy(await runtime.in_db(media.file, "vg_file_2"))
        missing = await copying.make_copy(await runtime.in_db(media.file, "vg_file_3"))

    def verified() -> str:
        said = StringIO()
        try:
            call_command("copies", "verify", stdout=said, stderr=said)
        except CommandError as error:
            return f"{said.getvalue()}{error}"
        return said.getvalue()

    assert "3 copies are intact." in await runtime.in_db(verified)
    copy_storage.path(changed.copy_path).write_bytes(PICTURE[:-1] + b"x")
    copy_storage.path(missing.copy_path).unlink()
    said = await runtime.in_db(verified)
    assert f"{changed.copy_path}: its bytes have changed" in said
    assert f"{missing.copy_path}: it is not there" in said
    assert whole.copy_path not in said
    assert "2 of 3 copies are damaged." in said
