"""Batches against the sandbox: they run behind single jobs, produce results, and can be downloaded as a ZIP."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

from executions import tools
from executions.batches import service as batches
from executions.batches.rows import Row
from executions.core import runtime
from executions.exports import zip_archive
from executions.lifecycle import leases, transitions
from executions.models import Batch, Execution, File, Result
from executions.sync import reconciler as sync
from executions.sync.reconciler import MAX_CONCURRENT, Reconciler
from executions.tools import Speech, already_validated
from tests import steps
from tests.dashboard.browsers import Browser
from tests.factories import planning
from tests.waiting import until

# One of the sandbox's presenters.
NOOR = "vg_pres_" + "Noor".ljust(22, "0")


@pytest.fixture
async def worker(account: Any, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reconciler]:
    """A running reconciler that polls ten times as often as usual, since the sandbox is twenty times as fast."""
    monkeypatch.setattr(transitions, "FIRST_POLL_DELAY", timedelta(seconds=0.1))
    monkeypatch.setattr(sync, "poll_interval", lambda age, in_flight: timedelta(seconds=0.1))
    monkeypatch.setattr(sync, "MAX_SLEEP", 0.1)
    reconciler = Reconciler()
    with reconciler.listening():
        running = asyncio.create_task(reconciler.run())
        yield reconciler
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await reconciler.drain(5)


async def finished_jobs(batch: Batch) -> list[Execution]:
    """Waits until all jobs of the batch have finished, and returns them."""

    async def jobs_if_finished() -> list[Execution]:
        jobs = await runtime.in_db(planning.jobs, batch)
        return jobs if all(job.is_terminal for job in jobs) else []

    return await until(jobs_if_finished)


def entries(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archived:
        assert archived.testzip() is None
        return {name: archived.read(name) for name in archived.namelist()}


async def download_zip(batch: Batch) -> dict[str, bytes]:
    pieces = [
        piece async for piece in zip_archive.stream(await runtime.in_db(zip_archive.batch_entries, batch))
    ]
    return entries(b"".join(pieces))


async def test_a_failed_job_does_not_stop_the_batch(account: Any, worker: Reconciler, people: Any) -> None:
    await steps.add_faults(
        account, {"kind": "job", "match": "*", "fail": "The moon was in the way.", "count": 1}
    )
    batch = await runtime.in_db(planning.batch, people.ann, 4)
    worker.wake()

    jobs = await finished_jobs(batch)

    assert sorted(job.status for job in jobs) == ["failed", "succeeded", "succeeded", "succeeded"]
    assert len({job.remote_id for job in jobs}) == 4


async def test_a_single_job_overtakes_a_batch_that_is_being_sent(
    account: Any, worker: Reconciler, people: Any
) -> None:
    await steps.add_faults(account, {"kind": "slow", "match": steps.STARTS, "seconds": 0.4})
    batch = await runtime.in_db(planning.batch, people.ann, 60)
    worker.wake()

    async def is_being_sent() -> bool:
        return await runtime.in_db(batch.executions.filter(sent_at__isnull=False).exists)

    await until(is_being_sent)
    single = await steps.queued(steps.unique_prompt())

    async def single_was_sent() -> bool:
        return (await steps.reload(single)).was_sent

    await until(single_was_sent)
    queued = await runtime.in_db(batch.executions.filter(sent_at=None).count)
    being_sent = await runtime.in_db(batch.executions.filter(sent_at__isnull=False, remote_id=None).count)
    assert queued > 30, "the single job waited for the batch"
    assert being_sent <= MAX_CONCURRENT - leases.RESERVED_SLOTS
    await runtime.in_db(
        batches.cancel,
        await runtime.in_db(planning.cancel_request, batch, actor=people.ann),
        actor=people.ann,
    )


async def test_nothing_is_sent_while_it_can_be_undone(
    account: Any, worker: Reconciler, people: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(batches, "UNDO_WINDOW", timedelta(minutes=5))
    prompt = steps.unique_prompt()
    plan = await runtime.in_db(planning.plan, people.ann, 3, prompt=prompt)
    batch, _ = await runtime.in_db(batches.confirm, plan.pk, actor=people.ann)
    # Meanwhile, due jobs are processed.
    await steps.wait_until_final(await steps.queued(steps.unique_prompt()))

    assert {job.sent_at for job in await runtime.in_db(planning.jobs, batch)} == {None}
    assert await runtime.in_db(batches.undo, batch, actor=people.ann) == 3

    await runtime.in_db(Batch.objects.filter(pk=batch.pk).update, sends_at=timezone.now())
    await steps.wait_until_final(await steps.queued(steps.unique_prompt()))
    assert prompt not in str(await steps.control(account, "GET", "truth"))


async def test_rows_with_a_speech_run_as_chains(account: Any, worker: Reconciler, people: Any) -> None:
    row = Row(
        1,
        already_validated({"avatarPresenterId": NOOR, "numResults": 1}),
        speech=Speech("Hello there"),
    )
    plan = await runtime.in_db(
        batches.plan, tools.find("generate-avatar"), [row], name="News", actor=people.ann
    )
    batch, _ = await runtime.in_db(batches.confirm, plan.pk, actor=people.ann)
    await runtime.in_db(batch.executions.update, next_attempt_at=timezone.now())
    worker.wake()

    speech, avatar = await finished_jobs(batch)

    assert (speech.status, avatar.status) == ("succeeded", "succeeded")
    names = sorted(await download_zip(batch))
    assert [name.rpartition(".")[0] for name in names] == ["001 Hello-there", "002 Avatar-Hello-there"]


# --- the ZIP ----------------------------------------------------------------------------------------------


async def finished_batch(people: Any, account: Any, worker: Reconciler, count: int = 2) -> Batch:
    batch = await runtime.in_db(planning.batch, people.ann, count)
    worker.wake()
    await finished_jobs(batch)
    return batch


async def content_of(name: str, batch: Batch) -> bytes:
    """A result, downloaded from VideoGen."""
    index = int(name[:3]) - 1
    job = (await runtime.in_db(planning.jobs, batch))[index]
    result = await runtime.in_db(Result.objects.select_related("file").get, execution=job)
    wire = await runtime.client().hydrate_file(result.file.remote_id)
    assert wire.download is not None
    async with httpx.AsyncClient() as client:
        return (await client.get(str(wire.download.url))).content


async def test_all_results_are_downloaded_as_one_zip(account: Any, worker: Reconciler, people: Any) -> None:
    batch = await finished_batch(people, account, worker, 2)
    ann_browser = await asyncio.to_thread(_signed_in, people.ann)

    answer = await ann_browser.aget(f"/batches/{batch.pk}/results.zip")
    found = entries(b"".join([piece async for piece in answer.streaming_content]))

    assert answer.streaming
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"] == 'attachment; filename="lighthouses.zip"'
    assert [name.rpartition(".")[0] for name in found] == ["001 a-lighthouse-1", "002 a-lighthouse-2"]
    for name, content in found.items():
        assert content == await content_of(name, batch)


async def test_missing_files_are_listed_in_the_zip(account: Any, worker: Reconciler, people: Any) -> None:
    batch = await finished_batch(people, account, worker, 2)
    first = (await runtime.in_db(planning.jobs, batch))[0]
    file = (await runtime.in_db(Result.objects.select_related("file").get, execution=first)).file
    created_at = timezone.now() - timedelta(hours=1)  # a 404 is ignored for a new file
    gone = {"remote_id": "vg_file_gone", "snapshot": {}, "created_at": created_at}
    await runtime.in_db(File.objects.filter(pk=file.pk).update, **gone)

    found = await download_zip(batch)

    assert [name.rpartition(".")[0] for name in found] == ["002 a-lighthouse-2", "_missing"]
    assert "001 a-lighthouse-1: VideoGen no longer has this file." in found["_missing.txt"].decode()


async def test_the_zip_is_streamed_and_a_disconnect_ends_the_download(
    account: Any, worker: Reconciler, people: Any, monkeypatch: Any
) -> None:
    batch = await finished_batch(people, account, worker, 2)
    closed: list[int] = []
    aclose = zip_archive.ArchiveSource.aclose

    async def recording_aclose(self: Any) -> None:
        closed.append(self.received)
        await aclose(self)

    monkeypatch.setattr(zip_archive.ArchiveSource, "aclose", recording_aclose)

    async with aclosing(zip_archive.stream(await runtime.in_db(zip_archive.batch_entries, batch))) as pieces:
        first = await anext(pieces)
        second = await anext(pieces)

    assert 0 < len(first) < 70_000
    assert 0 < len(second) < 70_000
    assert len(closed) == 1, "the second file was requested"


async def test_a_batch_without_results_has_no_zip(account: Any, people: Any) -> None:
    batch = await runtime.in_db(planning.batch, people.ann, 1)
    ann_browser = await asyncio.to_thread(_signed_in, people.ann)

    assert (await ann_browser.aget(f"/batches/{batch.pk}/results.zip")).status_code == 404


def _signed_in(user: Any) -> Browser:
    from django.db import connections

    from tests.dashboard.browsers import signed_in

    try:
        return signed_in(user)
    finally:
        connections.close_all()
