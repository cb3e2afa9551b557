"""Copies in our own storage: whole and checked, gone on with after a break, once, and nothing half where it fails."""

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
from executions.copies import requests as copy_requests
from executions.copies import storage as copy_storage
from executions.copies import worker as copy_worker
from executions.core import runtime
from executions.models import Event, Keeping
from executions.models.event import FileKind
from executions.team import settings as team_settings
from tests.executions.copies import keeping
from tests.executions.files.media import png
from tests.executions.files.media_server import serving
from tests.factories.files import file
from tests.waiting import until

PICTURE = png(padding=3 * 1024 * 1024 + 77)


@pytest.fixture(autouse=True)
def _in_this_loop(transactional_db: None) -> None:
    """Real transactions: the work is done by threads of the domain's own."""


async def test_a_copy_is_whole_checked_and_written_down(people: Any) -> None:
    async with serving(PICTURE, "image/png") as media:
        made = await runtime.in_db(media.file)
        made = await keeping.kept(made, people.ann)
    sha256 = hashlib.sha256(PICTURE).hexdigest()
    assert (made.kept_sha256, made.kept_bytes, made.kept_type) == (sha256, len(PICTURE), "image/png")
    assert copy_storage.path(made.kept_path).read_bytes() == PICTURE
    assert keeping.lying_about() == [made.kept_path], "no part is left"
    assert await keeping.wish(made) is None
    event = await runtime.in_db(Event.objects.get, file=made)
    assert (event.kind, event.actor_id) == (FileKind.COPIED, people.ann.pk)
    assert event.detail == {"sha256": sha256, "bytes": len(PICTURE), "type": "image/png"}


async def test_a_copy_that_broke_off_goes_on_where_it_stopped() -> None:
    async with serving(PICTURE) as media:
        media.breaks = [2_000_000]
        made = await runtime.in_db(media.file)
        await runtime.in_db(copy_requests.ask, made, policy.SYSTEM)
        made = await keeping.tried(made)
        wish = await keeping.wish(made)
        assert made.kept_at is None
        assert 0 < wish["received"] < 2_000_001
        assert wish["total"] == len(PICTURE)
        assert wish["due_at"] > timezone.now()
        made = await keeping.tried(made)
    assert f"range: bytes={wish['received']}-" in media.heads[1]
    assert 'if-range: "first"' in media.heads[1]
    assert copy_storage.path(made.kept_path).read_bytes() == PICTURE
    assert made.kept_sha256 == hashlib.sha256(PICTURE).hexdigest()


async def test_bytes_of_another_version_are_not_mixed() -> None:
    async with serving(PICTURE) as media:
        media.breaks = [2_000_000]
        made = await runtime.in_db(media.file)
        await runtime.in_db(copy_requests.ask, made, policy.SYSTEM)
        await keeping.tried(made)
        media.content, media.etag = png(padding=2_500_000), '"second"'
        made = await keeping.tried(made)
    assert copy_storage.path(made.kept_path).read_bytes() == media.content


async def test_what_a_dead_process_left_is_gone_on_with() -> None:
    async with serving(PICTURE) as media:
        made = await runtime.in_db(media.file)
        media.may_end.clear()
        await runtime.in_db(copy_requests.ask, made, policy.SYSTEM)
        [mine] = await runtime.in_db(copy_requests.claim_due, 1)
        working = asyncio.create_task(copy_worker.make(mine))

        async def noted() -> bool:
            wish = await keeping.wish(made)
            return bool(wish["received"])

        await until(noted)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        assert await runtime.in_db(copy_requests.claim_due, 1) == [], "it is still claimed"
        await runtime.in_db(copy_requests.release_all)
        media.may_end.set()
        [mine] = await runtime.in_db(copy_requests.claim_due, 1)
        await copy_worker.make(mine)
    made = await keeping.again(made)
    assert "range: bytes=" in media.heads[1]
    assert copy_storage.path(made.kept_path).read_bytes() == PICTURE


def test_parts_that_nobody_waits_for_are_swept(people: Any) -> None:
    left, wanted = file(origin="result"), file(origin="result")
    copy_requests.ask(wanted, policy.SYSTEM)
    for each in (left, wanted):
        copy_storage.part_of(each).write_bytes(b"part")
    (copy_storage.part_of(left).parent / "somebody's.part").write_bytes(b"not ours")
    copy_requests.sweep_parts()
    assert not copy_storage.part_of(left).exists()
    assert copy_storage.part_of(wanted).exists()
    assert (copy_storage.part_of(left).parent / "somebody's.part").exists()


def test_of_many_processes_one_makes_the_copy(people: Any) -> None:
    made = file(origin="result")
    copy_requests.ask(made, policy.SYSTEM)

    def claim(_: int) -> int:
        try:
            return len(copy_requests.claim_due(5))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(claim, range(24))) == 1


def test_whoever_lost_the_claim_says_nothing(people: Any) -> None:
    made = file(origin="result")
    copy_requests.ask(made, policy.SYSTEM)
    [slow] = copy_requests.claim_due(1)
    copy_requests.release_all()
    [other] = copy_requests.claim_due(1)
    copied = copy_requests.Copied("aa/one.png", "0" * 64, 1, "image/png")
    assert not copy_requests.renew(slow)
    assert not copy_requests.done(slow, copied)
    copy_requests.failed(slow, "too late")
    assert copy_requests.done(other, copied)
    assert Event.objects.filter(file=made, kind=FileKind.COPIED).count() == 1
    assert not Keeping.objects.exists()


@contextmanager
def disk_of(limit: int) -> Iterator[None]:
    """No file can grow beyond so many bytes: the system refuses the write, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_is_said_and_leaves_nothing_half() -> None:
    """Fault 52: while a copy is made. It is made by itself once there is room."""
    large = png(padding=48 * 1024 * 1024)
    async with serving(large) as media:
        made = await runtime.in_db(media.file)
        await runtime.in_db(copy_requests.ask, made, policy.SYSTEM)
        with disk_of(40 * 1024 * 1024):
            made = await keeping.tried(made)
        wish = await keeping.wish(made)
        assert made.kept_at is None
        assert "disk of Rushes is full" in wish["problem"]
        assert wish["due_at"] is not None, "it is tried again"
        assert keeping.lying_about() == []
        made = await keeping.tried(made)
    assert made.kept_sha256 == hashlib.sha256(large).hexdigest()


async def test_the_last_of_the_disk_is_left_to_the_database(monkeypatch: Any) -> None:
    monkeypatch.setattr(copy_storage, "RESERVE", 1 << 60)
    async with serving(PICTURE) as media:
        made = await runtime.in_db(media.file)
        await runtime.in_db(copy_requests.ask, made, policy.SYSTEM)
        made = await keeping.tried(made)
    assert "disk of Rushes is full" in (await keeping.wish(made))["problem"]
    assert keeping.lying_about() == []


async def test_what_videogen_no_longer_has_is_given_up(account: Any) -> None:
    made = await runtime.in_db(file, "vg_file_that_never_was", origin="result")
    await runtime.in_db(copy_requests.ask, made, policy.SYSTEM)
    made = await keeping.tried(made)
    wish = await keeping.wish(made)
    assert wish["due_at"] is None
    assert wish["problem"] == "VideoGen no longer has this file. There is nothing to copy."
    assert made.gone_at is not None


async def test_a_server_that_refuses_is_asked_for_a_new_address_then_later_again(account: Any) -> None:
    async with serving(PICTURE) as media:
        media.statuses = [403]
        made = await runtime.in_db(media.file, "vg_file_that_never_was")
        await runtime.in_db(copy_requests.ask, made, policy.SYSTEM)
        made = await keeping.tried(made)
    # The sandbox does not know the file: the new address was asked for there.
    assert made.gone_at is not None
    assert len(media.heads) == 1


async def test_an_empty_or_growing_answer_is_no_copy() -> None:
    async with serving(b"x") as media:
        made = await runtime.in_db(media.file)
        media.breaks = [0]
        await runtime.in_db(copy_requests.ask, made, policy.SYSTEM)
        made = await keeping.tried(made)
        assert made.kept_at is None
        assert keeping.lying_about() in ([], [f".parts/{made.pk}.part"])


@pytest.mark.parametrize(
    ("head", "told", "mime"),
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
async def test_what_a_copy_is_is_told_by_its_content(head: bytes, told: str, mime: str) -> None:
    async with serving(head, told) as media:
        made = await keeping.kept(await runtime.in_db(media.file))
    assert made.kept_type == mime


# --- which ------------------------------------------------------------------------------------------------


def test_asking_twice_is_one_wish_and_what_was_given_up_begins_anew(people: Any) -> None:
    made = file(origin="result")
    assert copy_requests.ask(made, people.ann)
    assert copy_requests.ask(made, people.ben)
    [mine] = copy_requests.claim_due(5)
    copy_requests.failed(mine, "gone", hopeless=True)
    assert copy_requests.claim_due(5) == []
    assert copy_requests.ask(made, people.ben)
    [mine] = copy_requests.claim_due(5)
    assert (mine.asked_by_id, mine.tries, mine.problem) == (people.ann.pk, 0, "")


def test_what_has_a_copy_or_is_not_ready_is_not_asked_for() -> None:
    assert not copy_requests.ask(file(kept_at=timezone.now()), policy.SYSTEM)
    assert not copy_requests.ask(file(state="processing"), policy.SYSTEM)
    assert not Keeping.objects.exists()


def test_tries_grow_rarer_and_end_after_a_day() -> None:
    made = file(origin="result")
    copy_requests.ask(made, policy.SYSTEM)
    pauses = []
    for _ in range(12):
        Keeping.objects.update(due_at=timezone.now())
        [mine] = copy_requests.claim_due(1)
        copy_requests.failed(mine, "no answer")
        due = Keeping.objects.get().due_at
        assert due is not None
        pauses.append((due - timezone.now()).total_seconds())
    assert pauses[0] < 10 < pauses[3] < 100 < pauses[6]
    assert pauses[-1] < 3600 * 1.3
    Keeping.objects.update(asked_at=timezone.now() - copy_requests.PATIENCE * 1.1, due_at=timezone.now())
    [mine] = copy_requests.claim_due(1)
    copy_requests.failed(mine, copy_storage.FULL, patient=True)
    assert Keeping.objects.get().due_at is not None, "a disk gets room again"
    Keeping.objects.update(due_at=timezone.now())
    [mine] = copy_requests.claim_due(1)
    copy_requests.failed(mine, "no answer")
    assert Keeping.objects.get().due_at is None


def test_where_every_file_is_kept_the_newest_come_first_a_few_at_a_time(monkeypatch: Any) -> None:
    monkeypatch.setattr(copy_requests, "WAITING", 3)
    files = [file(origin="result") for _ in range(5)]
    file(origin="account")
    file(origin="upload", state="processing")
    file(origin="result", gone_at=timezone.now())
    file(origin="result", kept_at=timezone.now())
    assert copy_requests.ask_for_more() == 3
    assert copy_requests.ask_for_more() == 0, "three are waiting"
    wanted = set(Keeping.objects.values_list("file_id", flat=True))
    assert wanted == {each.pk for each in files[2:]}
    Keeping.objects.update(due_at=None)
    assert copy_requests.ask_for_more() == 2
    assert Keeping.objects.count() == 5


async def test_the_background_keeps_every_file_where_that_is_chosen(people: Any) -> None:
    await runtime.in_db(team_settings.choose, team_settings.KEEP_ALL, True, actor=people.ada)
    async with serving(PICTURE) as media:
        made = await runtime.in_db(media.file)
        working = copy_worker.CopyWorker()
        task = asyncio.create_task(working.run())

        async def there() -> bool:
            return (await keeping.again(made)).kept_at is not None

        await until(there)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    event = await runtime.in_db(Event.objects.get, file=made)
    assert event.source == "system"


async def test_an_operator_verifies_what_is_kept() -> None:
    from io import StringIO

    from django.core.management import CommandError, call_command

    async with serving(PICTURE) as media:
        whole = await keeping.kept(await runtime.in_db(media.file))
        changed = await keeping.kept(await runtime.in_db(media.file, "vg_file_2"))
        missing = await keeping.kept(await runtime.in_db(media.file, "vg_file_3"))

    def verified() -> str:
        said = StringIO()
        try:
            call_command("copies", "verify", stdout=said, stderr=said)
        except CommandError as error:
            return f"{said.getvalue()}{error}"
        return said.getvalue()

    assert "3 copies are intact." in await runtime.in_db(verified)
    copy_storage.path(changed.kept_path).write_bytes(PICTURE[:-1] + b"x")
    copy_storage.path(missing.kept_path).unlink()
    said = await runtime.in_db(verified)
    assert f"{changed.kept_path}: its bytes have changed" in said
    assert f"{missing.kept_path}: it is not there" in said
    assert whole.kept_path not in said
    assert "2 of 3 copies are damaged." in said
