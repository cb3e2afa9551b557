"""The reconciler: whatever the API responds, a processed job is either correct or scheduled again."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from executions.core import runtime
from executions.lifecycle import chains, leases, observations, status_machine
from executions.limits.poll_budget import SharedBudget
from executions.models import Execution
from executions.sync.reconciler import MAX_CONCURRENT, Reconciler
from tests import steps
from tests.conftest import SandboxProcess
from tests.factories import jobs
from tests.waiting import eventually

ASK = "GET /v1/tools/executions/*"


async def process(job: Execution, reconciler: Reconciler | None = None) -> Execution:
    """Make the job due, process it once, and reload it."""
    await steps.make_due(job)
    await (reconciler or Reconciler()).process_now(job.pk)
    return await steps.reload(job)


async def test_a_poll_updates_the_progress_and_schedules_the_next(
    account: SandboxProcess, running: Execution
) -> None:
    since = timezone.now()
    now = await process(running)
    for _ in range(50):
        if now.progress is not None:
            break
        now = await process(running)  # it has just started and has no progress yet

    assert (now.status, now.attempt) == ("running", 0)
    assert now.progress is not None
    assert now.leased_until is None
    steps.assert_due_in(now, 1, 2, since=since)
    assert now.last_answer is not None
    assert now.last_answer["toolExecutionId"] == running.remote_id


async def test_the_loop_does_not_spin_while_due_jobs_must_not_be_polled(transactional_db: None) -> None:
    await steps.make_due(await runtime.in_db(jobs.running))
    reconciler = Reconciler()
    reconciler._no_polls_before = float("inf")

    assert await reconciler.step() == 1.0


async def test_a_finished_job_is_found_without_a_webhook(account: SandboxProcess) -> None:
    steps.add_fault(account, "job", "generate-image", seconds=0.1)
    job = await steps.accepted()
    assert job.remote_id is not None
    await steps.sandbox_outcome(account, job.remote_id)

    now = await process(job)

    assert now.status == "succeeded"
    assert now.next_attempt_at is None
    results = await runtime.in_db(lambda: list(now.results.values_list("file__type", "file__snapshot")))
    assert [kind for kind, _ in results] == ["IMAGE"]
    assert results[0][1]["fileId"].startswith("vg_file_")


async def test_a_failure_keeps_videogens_message(account: SandboxProcess) -> None:
    steps.add_fault(account, "job", "generate-image", seconds=0.1, fail="content_policy_violation")
    job = await steps.accepted()
    assert job.remote_id is not None
    await steps.sandbox_outcome(account, job.remote_id)

    now = await process(job)

    assert now.status == "failed"
    assert now.error is not None
    assert now.error["code"] == "content_policy_violation"
    assert now.error["internal_error_code"] == "SBX-0001"


async def test_an_unknown_status_is_stored_and_polled_again(
    account: SandboxProcess, running: Execution
) -> None:
    steps.add_fault(account, "unknown_status", ASK, value="hibernating")

    strange = await process(running)
    assert strange.status == "hibernating"
    assert strange.ended_at is None
    assert strange.next_attempt_at is not None

    assert (await process(running)).status == "running"
    assert await steps.kinds(running) == ["started", "sent", "status", "status", "status"]


@pytest.mark.parametrize(
    ("fault", "low", "high"),
    [
        ({"kind": "status", "status": 500}, 1.5, 2.5),
        ({"kind": "lost_before"}, 1.5, 2.5),
        ({"kind": "malformed", "shape": "html"}, 1.5, 2.5),
        ({"kind": "rate_limited", "seconds": 120}, 118, 121),
        ({"kind": "rate_limited", "hint": "none"}, 58, 61),
        ({"kind": "unauthorized"}, 58, 61),
    ],
    ids=str,
)
async def test_after_an_error_the_job_is_unchanged_and_polled_later(
    account: SandboxProcess, running: Execution, fault: dict[str, Any], low: float, high: float
) -> None:
    steps.add_fault(account, match=ASK, count=None, **fault)

    since = timezone.now()
    now = await process(running)

    assert (now.status, now.attempts) == ("pending", 1)
    assert now.note
    assert now.leased_until is None
    steps.assert_due_in(now, low, high, since=since)

    account.control("DELETE", "faults")
    better = await process(running)
    assert (better.status, better.attempts, better.note) == ("running", 0, "")


async def test_a_rate_limit_suspends_polls_of_the_whole_worker(
    account: SandboxProcess, running: Execution
) -> None:
    other = await steps.accepted()
    reconciler = Reconciler()
    steps.add_fault(account, "rate_limited", ASK, seconds=120)
    await process(running, reconciler)

    now = await process(other, reconciler)

    assert (now.status, now.note, now.attempts) == ("pending", "", 0)
    assert now.last_answer is None


async def test_without_budget_nothing_is_polled_and_nothing_is_lost(
    account: SandboxProcess, running: Execution
) -> None:
    reconciler = Reconciler(SharedBudget(hourly=0, reserve=1))
    await process(running, reconciler)
    unpolled = await steps.reload(running)
    await runtime.in_db(jobs.report, running, "hibernating")

    now = await process(running, reconciler)

    assert unpolled.status == "running"
    assert now.status == "hibernating"
    assert now.leased_until is None
    assert now.next_attempt_at is not None
    assert now.next_attempt_at > timezone.now()


async def test_a_404_is_ignored_for_a_young_job_and_shown_for_an_old_one(
    account: SandboxProcess, running: Execution
) -> None:
    steps.add_fault(account, "not_found", ASK, count=2)

    young = await process(running)
    assert (young.status, young.note) == ("pending", "")
    assert young.next_attempt_at is not None
    assert young.next_attempt_at - timezone.now() < timedelta(seconds=5)

    ago = timezone.now() - timedelta(hours=1)
    await runtime.in_db(Execution.objects.filter(pk=running.pk).update, accepted_at=ago)
    old = await process(running)
    assert (old.status, old.note) == ("pending", "VideoGen no longer knows this job")
    assert old.next_attempt_at is not None
    assert old.next_attempt_at - timezone.now() > timedelta(minutes=9)

    assert (await process(running)).note == ""


async def test_an_unconfirmed_job_is_left_to_a_person(account: SandboxProcess) -> None:
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)
    await runtime.in_db(status_machine.apply, job.pk, observations.SubmissionStarted())
    await runtime.in_db(status_machine.apply, job.pk, observations.SubmissionUnconfirmed(reason="cut"))

    now = await process(job)

    assert (now.status, now.next_attempt_at, now.leased_until) == ("unconfirmed", None, None)
    assert await steps.sandbox_jobs(account, prompt) == []


async def test_a_response_overtaken_by_a_webhook_changes_nothing(
    account: SandboxProcess, running: Execution
) -> None:
    steps.add_fault(account, "slow", ASK, seconds=0.5)
    processing = asyncio.create_task(process(running))
    await runtime.in_reader(eventually, lambda: jobs.reload(running).leased_until)

    await runtime.in_db(jobs.report, running, "succeeded")
    await processing

    now = await steps.reload(running)
    assert now.status == "succeeded"
    assert now.next_attempt_at is None
    assert await runtime.in_db(jobs.final_statuses, now) == ["succeeded"]


# --- the worker ---------------------------------------------------------------------------------------------


async def test_the_worker_finishes_every_job(account: SandboxProcess) -> None:
    steps.add_fault(account, "job", "generate-image", count=None, seconds=0.1, fail="tired")
    prompts = [steps.unique_prompt() for _ in range(4)]
    started = [await steps.queued(prompt) for prompt in prompts]
    reconciler = Reconciler()
    with reconciler.listening():
        working = asyncio.create_task(reconciler.run())
        left = Execution.objects.filter(ended_at=None)
        await runtime.in_reader(eventually, lambda: None if left.exists() else True)
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        await reconciler.drain(10)

    for job, prompt in zip(started, prompts, strict=True):
        now = await steps.reload(job)
        assert (now.status, now.leased_until) == ("failed", None)
        assert len(await steps.sandbox_jobs(account, prompt)) == 1
        assert await runtime.in_db(jobs.replay_status, now) == "failed"


async def test_an_error_of_one_job_does_not_affect_the_others(
    account: SandboxProcess, running: Execution, caplog: pytest.LogCaptureFixture
) -> None:
    reconciler = Reconciler()
    broken = await steps.accepted()
    await runtime.in_db(Execution.objects.filter(pk=broken.pk).update, remote_id="..")

    def breaks(*_: Any) -> None:
        raise ZeroDivisionError

    reconciler._poll_failed = breaks  # type: ignore[method-assign]
    await process(broken, reconciler)

    assert "unexpected error, will retry when its lease expires" in caplog.text
    assert (await process(running, reconciler)).status == "running"


def test_a_process_that_stops_releases_only_its_own_leases(db: None) -> None:
    leases.release_held()
    mine, taken_since = jobs.queued("mine"), jobs.queued("taken since")
    assert leases.claim(mine.pk)
    assert leases.claim_due(10) == [taken_since.pk]
    later = timezone.now() + timedelta(seconds=90)
    # Our lease had expired, and another process claimed the job.
    Execution.objects.filter(pk=taken_since.pk).update(leased_until=later)
    assert leases.release_held() == 1
    assert (jobs.reload(mine).leased_until, jobs.reload(taken_since).leased_until) == (None, later)
    assert leases.release_held() == 0


async def test_dependents_start_when_due_if_they_cannot_be_woken(
    account: SandboxProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(chains, "wake_dependents", away)
    reconciler = Reconciler()
    reconciler._add_finished((await steps.queued(steps.unique_prompt())).pk)
    await reconciler.drain(10)
    assert "Could not wake dependent jobs" in caplog.text
    assert not any(each.exc_info for each in caplog.records)


@pytest.mark.parametrize("has_dependents", [True, False])
async def test_a_finished_job_wakes_the_worker_only_for_dependents(
    monkeypatch: pytest.MonkeyPatch, has_dependents: bool
) -> None:
    wakes: list[bool] = []
    monkeypatch.setattr(chains, "wake_dependents", lambda *_: has_dependents)
    reconciler = Reconciler()
    monkeypatch.setattr(reconciler, "wake", lambda: wakes.append(True))
    reconciler._add_finished(uuid.uuid4())
    assert reconciler._free_slots() == MAX_CONCURRENT, "the search for dependents takes no slot of a job"
    await reconciler.drain(10)
    assert wakes == [True] * has_dependents
