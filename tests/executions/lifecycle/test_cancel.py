"""The wish to stop a job is written first, then told; what VideoGen says afterwards decides."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.core import runtime
from executions.lifecycle import cancel, leases, observations
from executions.lifecycle import machine as lifecycle
from executions.models import Event, Execution
from executions.sync import submit
from executions.sync.reconciler import Reconciler
from tests.conftest import SandboxProcess
from tests.executions import service
from tests.factories import jobs
from tests.waiting import eventually


def wish(job: Execution, user_id: int) -> bool:
    return cancel.request(job, actor=user_id)


# --- the wish -----------------------------------------------------------------------------------------------


def test_what_was_not_sent_ends_at_once_and_names_who_wanted_it(ada: Any) -> None:
    job = jobs.queued()

    assert wish(job, ada.pk)

    now = jobs.reload(job)
    assert (now.status, now.cancel_requested_by) == ("cancelled", ada)
    assert jobs.events_of(job)[-1] == ("status", "queued", "cancelled", "person")
    last = Event.objects.filter(execution=job).last()
    assert last is not None
    assert last.actor == ada


def test_a_running_job_keeps_its_status_and_is_looked_at_next(ada: Any) -> None:
    job = jobs.running()

    assert wish(job, ada.pk)

    now = jobs.reload(job)
    assert now.status == "running"
    assert now.cancel_requested_at is not None
    assert now.next_attempt_at == now.cancel_requested_at
    assert jobs.events_of(job)[-1] == ("cancel requested", "running", "running", "person")


def test_a_second_wish_is_none(ada: Any, django_user_model: Any) -> None:
    another = django_user_model.objects.create(username="another admin", is_staff=True)
    job = jobs.running()

    assert wish(job, ada.pk)
    assert not wish(job, another.pk)

    assert jobs.reload(job).cancel_requested_by == ada
    assert [step[0] for step in jobs.events_of(job)].count("cancel requested") == 1


def test_what_has_ended_or_may_not_exist_cannot_be_stopped(ada: Any) -> None:
    ended, unsure = jobs.running(), jobs.sending()
    jobs.report(ended, "succeeded")
    lifecycle.apply(unsure.pk, observations.ResponseLost(reason="cut"))

    assert not wish(ended, ada.pk)
    assert not wish(unsure, ada.pk)
    assert jobs.reload(ended).cancel_requested_at is None


# --- telling VideoGen ---------------------------------------------------------------------------------------


async def look(job: Execution) -> None:
    """What the reconciler does when the job is due."""
    await service.make_due(job)
    await Reconciler().process_now(job.pk)


async def test_a_wish_is_told_once_and_the_job_ends_as_videogen_says(
    account: SandboxProcess, running: Execution, ada: Any
) -> None:
    assert running.remote_id is not None
    assert await runtime.in_db(wish, running, ada.pk)

    await look(running)
    await service.in_thread(service.sandbox_outcome, account, running.remote_id)
    await look(running)

    now = await service.reload(running)
    assert now.status == "cancelled"
    assert now.cancel_noted_at is not None
    assert await service.kinds(running) == [
        "started",
        "sent",
        "status",
        *(["status"] if now.running_at else []),
        "cancel requested",
        "cancel noted",
        "status",
    ]


async def test_a_success_that_is_faster_than_the_wish_is_a_success(account: SandboxProcess, ada: Any) -> None:
    service.add_fault(account, "job", "generate-image", seconds=0.2, ignore_cancel=True)
    job = await service.started()
    assert job.remote_id is not None
    assert await runtime.in_db(wish, job, ada.pk)
    await look(job)

    await service.in_thread(service.sandbox_outcome, account, job.remote_id)
    await look(job)

    now = await service.reload(job)
    assert now.status == "succeeded"
    assert now.cancel_requested_at is not None
    assert await runtime.in_db(now.results.count) == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 409, "body": {"message": "Not now."}},
        {"kind": "status", "status": 500},
        {"kind": "lost_before"},
        {"kind": "not_found"},
        {"kind": "rate_limited"},
    ],
    ids=str,
)
async def test_a_wish_that_was_not_taken_is_told_again_while_the_job_runs(
    account: SandboxProcess, running: Execution, ada: Any, fault: dict[str, Any]
) -> None:
    service.add_fault(account, match="POST */cancel", **fault)
    assert await runtime.in_db(wish, running, ada.pk)

    await look(running)
    before = await service.reload(running)
    assert before.cancel_noted_at is None
    assert not before.is_terminal
    assert before.next_attempt_at is not None

    await look(running)
    assert (await service.reload(running)).cancel_noted_at is not None


async def test_a_cancel_answer_that_is_lost_does_not_lose_the_wish(
    account: SandboxProcess, running: Execution, ada: Any
) -> None:
    assert running.remote_id is not None
    service.add_fault(account, "lost_after", "POST */cancel")
    assert await runtime.in_db(wish, running, ada.pk)

    await look(running)
    await service.in_thread(service.sandbox_outcome, account, running.remote_id)
    await look(running)

    assert (await service.reload(running)).status == "cancelled"


async def test_a_job_that_is_cancelled_while_it_is_sent_is_stopped_once_its_id_is_known(
    account: SandboxProcess, ada: Any
) -> None:
    service.add_fault(account, "job", "generate-image", seconds=600)
    service.add_fault(account, "slow", seconds=0.5)
    job = await service.queued(service.unique_prompt())
    sending = asyncio.create_task(submit.send(job.pk))
    await runtime.in_reader(eventually, lambda: jobs.reload(job).sent_at)

    assert await runtime.in_db(wish, job, ada.pk)
    await sending
    assert (await service.reload(job)).status == "pending"
    await Reconciler().process_now(job.pk)

    now = await service.reload(job)
    assert now.remote_id is not None
    assert now.cancel_noted_at is not None
    there = await service.in_thread(service.sandbox_outcome, account, now.remote_id)
    assert there["status"] == "cancelled"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "rate_limited", "seconds": 3600},
        {"kind": "status", "status": 503},
        {"kind": "not_found"},
        {"kind": "slow", "seconds": 2.0},
    ],
    ids=str,
)
async def test_a_wish_that_comes_while_a_look_fails_is_told_next(
    account: SandboxProcess, ada: Any, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """The look holds the job, so whoever wished could not tell VideoGen at once; it must not wait for the next look."""
    job = await service.started()
    service.add_fault(account, match="GET /v1/tools/executions/*", **fault)
    await runtime.in_db(
        Execution.objects.filter(pk=job.pk).update,
        attempts=7,
        next_attempt_at=timezone.now(),
        accepted_at=timezone.now() - timedelta(minutes=5),
    )
    client, asking = runtime.client(), asyncio.Event()
    ask = client.get_execution

    async def wished(*args: Any, **kwargs: Any) -> Any:
        assert await runtime.in_db(wish, job, ada.pk)
        asking.set()
        return await ask(*args, **kwargs)

    monkeypatch.setattr(client, "get_execution", wished)
    monkeypatch.setattr(leases, "CALL_LIMIT", 0.5)
    await Reconciler().process_now(job.pk)
    assert asking.is_set()
    now = await service.reload(job)
    assert now.next_attempt_at is not None
    assert now.next_attempt_at <= timezone.now()
    assert (now.attempts, now.leased_until) == (0, None)
