"""Submission: a job is stored first and sent once, and every failure leaves a row that shows it."""

from __future__ import annotations

import asyncio
import socket
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from executions import policy, tools
from executions.core import runtime
from executions.lifecycle import create, leases, observations, status_machine
from executions.limits import api_health, rate_limits
from executions.models import Execution, File, Input
from executions.models.event import Kind
from executions.sync import submit
from executions.tools import already_validated
from executions.videogen import VideoGenError
from tests import steps
from tests.conftest import SandboxProcess
from tests.factories import deliveries, jobs

IMAGE = tools.find("generate-image")


# --- the row ------------------------------------------------------------------------------------------------


def test_a_form_creates_one_job_and_idempotency_keys_are_per_person(ann: Any, ben: Any) -> None:
    body = {"prompt": "x"}

    first = create.start(tool=IMAGE, body=already_validated(body), actor=ann, key="k")
    repeated = create.start(tool=IMAGE, body=already_validated({"prompt": "typed twice"}), actor=ann, key="k")
    other_form = create.start(tool=IMAGE, body=already_validated(body), actor=ann, key="k2")
    bens = create.start(tool=IMAGE, body=already_validated(body), actor=ben, key="k")

    assert [is_new for _, is_new in (first, repeated, other_form, bens)] == [True, False, True, True]
    assert repeated[0] == first[0]
    assert Execution.objects.count() == 3
    assert jobs.reload(first[0]).request_body == body


def test_the_first_event_names_the_person_and_the_job_that_is_run_again(ann: Any) -> None:
    job, _ = create.start(tool=IMAGE, body=already_validated({"prompt": "x"}), actor=ann)
    again, _ = create.rerun(job, actor=ann, key="k")

    (first,), (second,) = job.events.all(), again.events.all()
    assert (first.kind, first.actor, first.detail) == (Kind.STARTED, ann, {})
    assert (second.kind, second.actor, second.detail) == (
        Kind.STARTED,
        ann,
        {"again": str(job.pk), "knowingly": False},
    )


def test_the_input_files_of_a_job_are_stored(db: None) -> None:
    files = [File.objects.create(remote_id=f"vg_file_{n}", display_name=f"{n}.png") for n in range(2)]
    body = {"prompt": "both", "imageFileIds": ["vg_file_1", "vg_file_elsewhere", "vg_file_0"]}

    job, _ = create.start(tool=IMAGE, body=already_validated(body), actor=policy.SYSTEM)

    found = list(Input.objects.values_list("field", "position", "file"))
    assert found == [("imageFileIds", 0, files[1].pk), ("imageFileIds", 2, files[0].pk)]
    assert job.prompt == "both"


def test_an_identical_job_is_found_once_it_has_succeeded(db: None) -> None:
    body = {"prompt": "a lighthouse", "numResults": 1}
    job = jobs.running()

    assert create.find_earlier_success(IMAGE, body) is None
    jobs.report(job, "succeeded")

    assert create.find_earlier_success(IMAGE, dict(reversed(body.items()))) == job
    assert create.find_earlier_success(IMAGE, body | {"numResults": 2}) is None
    assert create.find_earlier_success(tools.find("generate-sound-effect"), body) is None


# --- the request --------------------------------------------------------------------------------------------


async def test_a_job_is_submitted_with_its_request_and_gets_an_id(account: SandboxProcess) -> None:
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)

    await submit.send(job.pk)

    remote = await steps.sandbox_jobs(account, prompt)
    now = await steps.reload(job)
    assert (now.status, now.remote_id) == ("pending", remote[0]["toolExecutionId"])
    assert len(remote) == 1
    assert remote[0]["tool"] == "generate-image"
    assert now.accepted_at is not None
    assert now.leased_until is None
    assert now.start_answer == {"toolExecutionId": now.remote_id}
    assert await steps.kinds(job) == ["started", "sent", "status"]


async def test_a_webhook_before_the_response_is_applied_when_the_response_arrives(
    account: SandboxProcess,
) -> None:
    steps.add_fault(account, "status", status=202, body={"toolExecutionId": "vg_exec_early"})
    job = await steps.queued(steps.unique_prompt())
    early = await runtime.in_db(deliveries.ingest_outcome, "msg_1", "vg_exec_early", "failed")
    assert early == "unknown job"

    await submit.send(job.pk)

    assert (await steps.reload(job)).status == "failed"


async def test_concurrent_workers_submit_a_job_once(account: SandboxProcess) -> None:
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)

    await asyncio.gather(*(submit.send(job.pk) for _ in range(8)))
    await steps.make_due(job)
    await submit.send_claimed(job.pk)

    assert len(await steps.sandbox_jobs(account, prompt)) == 1
    assert (await steps.reload(job)).status == "pending"


async def test_a_job_that_is_leased_or_not_due_is_left_alone(account: SandboxProcess) -> None:
    leased, later = steps.unique_prompt(), steps.unique_prompt()
    leased_job = await steps.queued(leased, leased=True)
    later_job = await steps.queued(later, not_before=timezone.now() + timedelta(minutes=1))

    await submit.send(leased_job.pk)
    await submit.send(later_job.pk)
    assert await steps.sandbox_jobs(account, leased) == await steps.sandbox_jobs(account, later) == []

    await submit.send_claimed(leased_job.pk)
    assert len(await steps.sandbox_jobs(account, leased)) == 1


async def test_a_job_whose_worker_died_while_sending_is_never_sent_again(account: SandboxProcess) -> None:
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)
    assert await runtime.in_db(leases.claim, job.pk)
    await runtime.in_db(status_machine.apply, job.pk, observations.SubmissionStarted())
    ago = timezone.now() - timedelta(seconds=1)
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, leased_until=ago)

    await submit.send(job.pk)
    await submit.send(job.pk)

    assert (await steps.reload(job)).status == "unconfirmed"
    assert await steps.sandbox_jobs(account, prompt) == []


# --- what can come back -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (
            {"kind": "status", "status": 400, "body": {"message": "No.", "code": "invalid_parameters"}},
            "invalid_parameters",
        ),
        ({"kind": "status", "status": 422, "body": {"message": "No."}}, None),
        ({"kind": "forbidden"}, "not_authorized"),
        ({"kind": "unauthorized"}, "invalid_api_key"),
        ({"kind": "rate_limited", "code": "insufficient_credits"}, "insufficient_credits"),
    ],
    ids=lambda value: str(value),
)
async def test_a_permanent_rejection_fails_the_job(
    account: SandboxProcess, fault: dict[str, Any], code: str | None
) -> None:
    steps.add_fault(account, **fault)
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)

    await submit.send(job.pk)
    await submit.send(job.pk)

    now = await steps.reload(job)
    assert now.status == "failed"
    assert now.error is not None
    assert now.error["message"]
    assert now.error["code"] == code
    assert now.start_answer, "VideoGen's response is kept"
    assert now.next_attempt_at is None
    assert await steps.sandbox_jobs(account, prompt) == []
    assert await steps.kinds(job) == ["started", "sent", "status"]


async def test_a_rejected_key_is_reported_until_a_call_succeeds(account: SandboxProcess) -> None:
    steps.add_fault(account, "unauthorized")
    await submit.send((await steps.queued(steps.unique_prompt())).pk)
    assert await runtime.in_db(api_health.key_rejection)

    await submit.send((await steps.queued(steps.unique_prompt())).pk)
    assert await runtime.in_db(api_health.key_rejection) == ""


@pytest.mark.parametrize(
    ("hint", "seconds", "low", "high"),
    [("retry_after", 30, 28, 31), ("reset", 90, 85, 91), ("reset", 3600, 3590, 3601), ("none", 2, 58, 61)],
)
async def test_a_used_up_limit_defers_the_job_until_it_resets(
    account: SandboxProcess, hint: str, seconds: float, low: float, high: float
) -> None:
    steps.add_fault(account, "rate_limited", hint=hint, seconds=seconds)
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)
    since = timezone.now()

    await submit.send(job.pk)

    deferred = await steps.reload(job)
    assert (deferred.status, deferred.sent_at, deferred.attempts) == ("queued", None, 1)
    assert "limit" in deferred.note
    steps.assert_due_in(deferred, low, high, since=since)
    assert await steps.sandbox_jobs(account, prompt) == []

    await steps.reset_limits()
    await steps.make_due(job)
    await submit.send(job.pk)
    assert len(await steps.sandbox_jobs(account, prompt)) == 1
    assert await steps.kinds(job) == ["started", "sent", "postponed", "sent", "status"]


async def test_a_retry_after_of_zero_is_ignored(account: SandboxProcess) -> None:
    """Rejected submissions count against the limit too, and each is recorded: immediate retries would never end."""
    steps.add_fault(account, "status", status=429, headers={"Retry-After": "0"}, count=None)
    job = await steps.queued(steps.unique_prompt())
    for low, high in ((1.5, 2.5), (3.1, 4.9)):
        await steps.reset_limits()
        await steps.make_due(job)
        since = timezone.now()
        await submit.send(job.pk)
        steps.assert_due_in(await steps.reload(job), low, high, since=since)


@pytest.mark.parametrize("failing", ["limits", "key"])
async def test_a_failure_to_store_limits_or_key_state_does_not_lose_the_response(
    failing: str, account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: Any) -> None:
        raise OperationalError("the connection is closed")

    rate_limits.forget()
    monkeypatch.setattr(*((rate_limits, "store") if failing == "limits" else (cache, "get")), unavailable)
    job = await steps.queued(steps.unique_prompt())
    await submit.send(job.pk)
    assert (await steps.reload(job)).status == "pending"


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
async def test_storing_a_response_is_retried_until_the_database_is_back(
    error: type[Exception], account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VideoGen's id is stored nowhere else."""
    monkeypatch.setattr(submit, "RETRY_DELAYS", (0.0, 0.0, 0.0, 0.0))
    apply, failures, stored = status_machine.apply, [], []

    def unavailable(execution_id: Any, observation: observations.Observation) -> bool:
        if isinstance(observation, observations.Accepted) and len(failures) < 3:
            failures.append(1)
            raise error("terminating connection")
        stored.append(observation)
        return apply(execution_id, observation)

    monkeypatch.setattr(status_machine, "apply", unavailable)
    job = await steps.queued(steps.unique_prompt())
    await submit.send(job.pk)
    now = await steps.reload(job)
    assert (now.status, len(failures)) == ("pending", 3)
    assert sum(isinstance(each, observations.Accepted) for each in stored) == 1
    assert now.remote_id is not None


async def test_storing_a_response_is_not_retried_after_the_lease_has_expired(
    account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then, another worker may have marked the job as unconfirmed."""
    attempts = []

    def unavailable(*_: Any) -> bool:
        attempts.append(1)
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(status_machine, "apply", unavailable)
    now = asyncio.get_running_loop().time()
    for until, count in ((now - 1, 1), (now + 0.3, 2)):
        attempts.clear()
        with pytest.raises(OperationalError):
            await submit._store_outcome(uuid.uuid4(), observations.SubmissionUnconfirmed(reason="cut"), until)
        assert len(attempts) == count
    assert asyncio.get_running_loop().time() - now > submit.RETRY_DELAYS[0] * 0.9, "it waits between attempts"


def test_the_lease_leaves_time_to_store_a_response() -> None:
    assert leases.LEASE.total_seconds() > leases.CALL_LIMIT + submit.LEASE_MARGIN


async def test_an_unreachable_service_is_retried_with_growing_delays(
    account: SandboxProcess,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        runtime.use_account(account.api_key, f"http://127.0.0.1:{unused.getsockname()[1]}")
        job = await steps.queued(steps.unique_prompt())
        delays = []
        for _ in range(3):
            await steps.make_due(job)
            await submit.send(job.pk)
            now = await steps.reload(job)
            assert (now.status, now.sent_at) == ("queued", None)
            assert now.next_attempt_at is not None
            delays.append((now.next_attempt_at - timezone.now()).total_seconds())

    assert now.attempts == 3
    # Doubled each time, with 20 % of jitter either way.
    for delay, expected in zip(delays, (2, 4, 8), strict=True):
        assert expected * 0.8 - 0.5 <= delay <= expected * 1.2
    await runtime.close_client()


@pytest.mark.parametrize(
    ("fault", "runs_there"),
    [
        ({"kind": "lost_after"}, 1),
        ({"kind": "lost_before"}, 0),
        ({"kind": "status", "status": 502, "body": "<html>bad gateway</html>"}, 0),
        ({"kind": "status", "status": 500, "accepted": True}, 1),
        ({"kind": "malformed", "shape": "html"}, 1),
        ({"kind": "malformed", "shape": "no_id"}, 1),
        ({"kind": "malformed", "shape": "truncated"}, 1),
    ],
    ids=str,
)
async def test_a_lost_response_leaves_the_job_unconfirmed_and_it_is_never_sent_again(
    account: SandboxProcess, fault: dict[str, Any], runs_there: int
) -> None:
    steps.add_fault(account, **fault)
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)

    await submit.send(job.pk)
    await steps.make_due(job)
    await submit.send(job.pk)

    now = await steps.reload(job)
    assert (now.status, now.remote_id) == ("unconfirmed", None)
    assert len(await steps.sandbox_jobs(account, prompt)) == runs_there
    assert await steps.kinds(job) == ["started", "sent", "status"]


async def test_no_response_within_the_time_limit_is_a_lost_response(
    account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "CALL_LIMIT", 0.3)
    steps.add_fault(account, "slow", seconds=1.5)
    job = await steps.queued(steps.unique_prompt())

    await submit.send(job.pk)

    assert (await steps.reload(job)).status == "unconfirmed"


async def test_the_id_of_another_job_leaves_both_jobs_unchanged(account: SandboxProcess) -> None:
    first = await steps.accepted()
    steps.add_fault(account, "status", status=202, body={"toolExecutionId": first.remote_id})
    job = await steps.queued(steps.unique_prompt())

    await submit.send(job.pk)

    assert (await steps.reload(job)).status == "unconfirmed"
    assert (await steps.reload(first)).remote_id == first.remote_id


def test_every_error_of_the_client_becomes_an_observation() -> None:
    kinds = [VideoGenError]
    for kind in kinds:
        kinds += kind.__subclasses__()

    names = {
        kind.__name__: type(submit._to_observation(kind("words", status=500), 0)).__name__ for kind in kinds
    }

    retried = {name for name, observation in names.items() if observation == "SubmissionDeferred"}
    assert retried == {"RateLimited", "Unreachable"}
    unconfirmed = {name for name, observation in names.items() if observation == "SubmissionUnconfirmed"}
    assert unconfirmed == {"VideoGenError", "ServerError", "ResponseLost", "MalformedResponse"}
