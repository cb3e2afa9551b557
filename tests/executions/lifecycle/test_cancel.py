"""A cancel request is stored first and then sent; the status that VideoGen reports afterwards decides."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.core import runtime
from executions.lifecycle import cancel, leases, observations, status_machine
from executions.models import Event, Execution
from executions.sync import submit
from executions.sync.reconciler import Reconciler
from tests import steps
from tests.conftest import SandboxProcess
from tests.factories import jobs
from tests.waiting import eventually


def request_cancel(job: Execution, user_id: int) -> bool:
    return cancel.request(job, actor=user_id)


# --- the request --------------------------------------------------------------------------------------------


def test_a_queued_job_is_cancelled_at_once_and_names_the_person(ada: Any) -> None:
    job = jobs.queued()

    assert request_cancel(job, ada.pk)

    now = jobs.reload(job)
    assert (now.status, now.cancel_requested_by) == ("cancelled", ada)
    assert jobs.events_of(job)[-1] == ("status", "queued", "cancelled", "person")
    last = Event.objects.filter(execution=job).last()
    assert last is not None
    assert last.actor == ada


def test_a_running_job_keeps_its_status_and_is_due_next(ada: Any) -> None:
    job = jobs.running()

    assert request_cancel(job, ada.pk)

    now = jobs.reload(job)
    assert now.status == "running"
    assert now.cancel_requested_at is not None
    assert now.next_attempt_at == now.cancel_requested_at
    assert jobs.events_of(job)[-1] == ("cancel requested", "running", "running", "person")


def test_a_second_cancel_request_is_ignored(ada: Any, django_user_model: Any) -> None:
    another = django_user_model.objects.create(username="another admin", is_staff=True)
    job = jobs.running()

    assert request_cancel(job, ada.pk)
    assert not request_cancel(job, another.pk)

    assert jobs.reload(job).cancel_requested_by == ada
    assert [step[0] for step in jobs.events_of(job)].count("cancel requested") == 1


def test_a_finished_or_unconfirmed_job_cannot_be_cancelled(ada: Any) -> None:
    finished, unconfirmed = jobs.running(), jobs.sending()
    jobs.report(finished, "succeeded")
    status_machine.apply(unconfirmed.pk, observations.SubmissionUnconfirmed(reason="cut"))

    assert not request_cancel(finished, ada.pk)
    assert not request_cancel(unconfirmed, ada.pk)
    assert jobs.reload(finished).cancel_requested_at is None


# --- sending it to VideoGen ---------------------------------------------------------------------------------


async def process(job: Execution) -> None:
    """Let the reconciler process the job as due."""
    await steps.make_due(job)
    await Reconciler().process_now(job.pk)


async def test_a_cancel_request_is_sent_once_and_videogen_decides_the_outcome(
    account: SandboxProcess, running: Execution, ada: Any
) -> None:
    assert running.remote_id is not None
    assert await runtime.in_db(request_cancel, running, ada.pk)

    await process(running)
    await steps.sandbox_outcome(account, running.remote_id)
    await process(running)

    now = await steps.reload(running)
    assert now.status == "cancelled"
    assert now.cancel_accepted_at is not None
    # A poll between VideoGen's acceptance of the cancel request and its effect may still see the job running.
    still_running = ("status", "pending", "running")
    events = [event for event in await steps.events_of(running) if event[:3] != still_running]
    assert [event[0] for event in events] == [
        "started",
        "sent",
        "status",
        "cancel requested",
        "cancel noted",
        "status",
    ]


async def test_a_job_that_succeeds_before_the_cancel_is_a_success(account: SandboxProcess, ada: Any) -> None:
    steps.add_fault(account, "job", "generate-image", seconds=0.2, ignore_cancel=True)
    job = await steps.accepted()
    assert job.remote_id is not None
    assert await runtime.in_db(request_cancel, job, ada.pk)
    await process(job)

    await steps.sandbox_outcome(account, job.remote_id)
    await process(job)

    now = await steps.reload(job)
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
async def test_a_cancel_request_that_was_not_accepted_is_sent_again_while_the_job_runs(
    account: SandboxProcess, running: Execution, ada: Any, fault: dict[str, Any]
) -> None:
    steps.add_fault(account, match="POST */cancel", **fault)
    assert await runtime.in_db(request_cancel, running, ada.pk)

    await process(running)
    before = await steps.reload(running)
    assert before.cancel_accepted_at is None
    assert not before.is_terminal
    assert before.next_attempt_at is not None

    await process(running)
    assert (await steps.reload(running)).cancel_accepted_at is not None


async def test_a_lost_response_does_not_lose_the_cancel_request(
    account: SandboxProcess, running: Execution, ada: Any
) -> None:
    assert running.remote_id is not None
    steps.add_fault(account, "lost_after", "POST */cancel")
    assert await runtime.in_db(request_cancel, running, ada.pk)

    await process(running)
    await steps.sandbox_outcome(account, running.remote_id)
    await process(running)

    assert (await steps.reload(running)).status == "cancelled"


async def test_a_job_cancelled_while_being_sent_is_cancelled_once_its_id_is_known(
    account: SandboxProcess, ada: Any
) -> None:
    steps.add_fault(account, "job", "generate-image", seconds=600)
    steps.add_fault(account, "slow", seconds=0.5)
    job = await steps.queued(steps.unique_prompt())
    sending = asyncio.create_task(submit.send(job.pk))
    await runtime.in_reader(eventually, lambda: jobs.reload(job).sent_at)

    assert await runtime.in_db(request_cancel, job, ada.pk)
    await sending
    assert (await steps.reload(job)).status == "pending"
    await Reconciler().process_now(job.pk)

    now = await steps.reload(job)
    assert now.remote_id is not None
    assert now.cancel_accepted_at is not None
    remote = await steps.sandbox_outcome(account, now.remote_id)
    assert remote["status"] == "cancelled"


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
async def test_a_cancel_request_during_a_failing_poll_is_sent_next(
    account: SandboxProcess, ada: Any, monkeypatch: pytest.MonkeyPatch, fault: dict[str, Any]
) -> None:
    """The poll holds the lease, so the request cannot be sent at once. It must not wait for the next scheduled poll."""
    job = await steps.accepted()
    steps.add_fault(account, match="GET /v1/tools/executions/*", **fault)
    await runtime.in_db(
        Execution.objects.filter(pk=job.pk).update,
        attempts=7,
        next_attempt_at=timezone.now(),
        accepted_at=timezone.now() - timedelta(minutes=5),
    )
    client, polled = runtime.client(), asyncio.Event()
    get_execution = client.get_execution

    async def request_during_poll(*args: Any, **kwargs: Any) -> Any:
        assert await runtime.in_db(request_cancel, job, ada.pk)
        polled.set()
        return await get_execution(*args, **kwargs)

    monkeypatch.setattr(client, "get_execution", request_during_poll)
    monkeypatch.setattr(leases, "CALL_LIMIT", 0.5)
    await Reconciler().process_now(job.pk)
    assert polled.is_set()
    now = await steps.reload(job)
    assert now.next_attempt_at is not None
    assert now.next_attempt_at <= timezone.now()
    assert (now.attempts, now.leased_until) == (0, None)
