"""A start is written first, leaves once, and every way in which it can go wrong ends in a row that says so."""

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
from executions.lifecycle import create, leases, observations
from executions.lifecycle import machine as lifecycle
from executions.limits import api_health as standing
from executions.limits import rate_limits
from executions.models import Execution, File, Input
from executions.sync import submit
from executions.tools import already_validated
from executions.videogen import VideoGenError
from tests.conftest import SandboxProcess
from tests.executions import service
from tests.factories import jobs

IMAGE = tools.find("generate-image")


# --- the row ------------------------------------------------------------------------------------------------


def test_one_form_starts_one_job_and_each_person_has_keys_of_their_own(ann: Any, ben: Any) -> None:
    body = {"prompt": "x"}

    first = create.start(tool=IMAGE, body=already_validated(body), actor=ann, key="k")
    again = create.start(tool=IMAGE, body=already_validated({"prompt": "typed again"}), actor=ann, key="k")
    other_form = create.start(tool=IMAGE, body=already_validated(body), actor=ann, key="k2")
    bens = create.start(tool=IMAGE, body=already_validated(body), actor=ben, key="k")

    assert [is_new for _, is_new in (first, again, other_form, bens)] == [True, False, True, True]
    assert again[0] == first[0]
    assert Execution.objects.count() == 3
    assert jobs.fresh(first[0]).request_body == body


def test_the_files_that_a_job_works_from_are_written_down(db: None) -> None:
    files = [File.objects.create(remote_id=f"vg_file_{n}", display_name=f"{n}.png") for n in range(2)]
    body = {"prompt": "both", "imageFileIds": ["vg_file_1", "vg_file_elsewhere", "vg_file_0"]}

    job, _ = create.start(tool=IMAGE, body=already_validated(body), actor=policy.SYSTEM)

    found = list(Input.objects.values_list("field", "position", "file"))
    assert found == [("imageFileIds", 0, files[1].pk), ("imageFileIds", 2, files[0].pk)]
    assert job.prompt == "both"


def test_a_job_that_asks_the_same_is_found_once_it_has_succeeded(db: None) -> None:
    body = {"prompt": "a lighthouse", "numResults": 1}
    job = jobs.running()

    assert create.made_before(IMAGE, body) is None
    jobs.report(job, "succeeded")

    assert create.made_before(IMAGE, dict(reversed(body.items()))) == job
    assert create.made_before(IMAGE, body | {"numResults": 2}) is None
    assert create.made_before(tools.find("generate-sound-effect"), body) is None


# --- the request --------------------------------------------------------------------------------------------


async def test_a_job_is_sent_with_what_was_asked_and_gets_its_id(account: SandboxProcess) -> None:
    prompt = service.words()
    job = await service.queued(prompt)

    await submit.send(job.pk)

    there = service.known_there(account, prompt)
    now = await service.fresh(job)
    assert (now.status, now.remote_id) == ("pending", there[0]["toolExecutionId"])
    assert len(there) == 1
    assert there[0]["tool"] == "generate-image"
    assert now.accepted_at is not None
    assert now.leased_until is None
    assert now.start_answer == {"toolExecutionId": now.remote_id}
    assert await service.kinds(job) == ["started", "sent", "status"]


async def test_many_who_send_the_same_job_send_it_once(account: SandboxProcess) -> None:
    prompt = service.words()
    job = await service.queued(prompt)

    await asyncio.gather(*(submit.send(job.pk) for _ in range(8)))
    await service.due_now(job)
    await submit.send_claimed(job.pk)

    assert len(service.known_there(account, prompt)) == 1
    assert (await service.fresh(job)).status == "pending"


async def test_a_job_that_somebody_has_leased_or_that_has_time_is_left_alone(account: SandboxProcess) -> None:
    held, later = service.words(), service.words()
    held_job = await service.queued(held, held=True)
    later_job = await service.queued(later, not_before=timezone.now() + timedelta(minutes=1))

    await submit.send(held_job.pk)
    await submit.send(later_job.pk)
    assert service.known_there(account, held) == service.known_there(account, later) == []

    await submit.send_claimed(held_job.pk)
    assert len(service.known_there(account, held)) == 1


async def test_a_job_whose_worker_died_in_the_middle_is_never_sent_again(account: SandboxProcess) -> None:
    prompt = service.words()
    job = await service.queued(prompt)
    assert await runtime.in_db(leases.claim, job.pk)
    await runtime.in_db(lifecycle.apply, job.pk, observations.SubmissionStarted())
    ago = timezone.now() - timedelta(seconds=1)
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, leased_until=ago)

    await submit.send(job.pk)
    await submit.send(job.pk)

    assert (await service.fresh(job)).status == "unconfirmed"
    assert service.known_there(account, prompt) == []


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
async def test_a_no_that_stays_a_no_ends_the_job(
    account: SandboxProcess, fault: dict[str, Any], code: str | None
) -> None:
    service.order(account, **fault)
    prompt = service.words()
    job = await service.queued(prompt)

    await submit.send(job.pk)
    await submit.send(job.pk)

    now = await service.fresh(job)
    assert now.status == "failed"
    assert now.error is not None
    assert now.error["message"]
    assert now.error["code"] == code
    assert now.next_attempt_at is None
    assert service.known_there(account, prompt) == []
    assert await service.kinds(job) == ["started", "sent", "status"]


async def test_a_refused_key_is_told_until_a_call_succeeds(account: SandboxProcess) -> None:
    service.order(account, "unauthorized")
    await submit.send((await service.queued(service.words())).pk)
    assert await runtime.in_db(standing.key_rejection)

    await submit.send((await service.queued(service.words())).pk)
    assert await runtime.in_db(standing.key_rejection) == ""


@pytest.mark.parametrize(
    ("hint", "seconds", "low", "high"),
    [("retry_after", 30, 28, 31), ("reset", 90, 85, 91), ("reset", 3600, 3590, 3601), ("none", 2, 58, 61)],
)
async def test_a_used_up_limit_puts_the_job_off_until_it_ends(
    account: SandboxProcess, hint: str, seconds: float, low: float, high: float
) -> None:
    service.order(account, "rate_limited", hint=hint, seconds=seconds)
    prompt = service.words()
    job = await service.queued(prompt)

    await submit.send(job.pk)

    put_off = await service.fresh(job)
    assert (put_off.status, put_off.sent_at, put_off.attempts) == ("queued", None, 1)
    assert "limit" in put_off.note
    assert put_off.next_attempt_at is not None
    assert low < (put_off.next_attempt_at - timezone.now()).total_seconds() < high
    assert service.known_there(account, prompt) == []

    await service.new_hour()
    await service.due_now(job)
    await submit.send(job.pk)
    assert len(service.known_there(account, prompt)) == 1
    assert await service.kinds(job) == ["started", "sent", "postponed", "sent", "status"]


async def test_a_hint_of_no_time_is_none(account: SandboxProcess) -> None:
    """Refused starts count as well, and each is written down: to send again at once would never end."""
    service.order(account, "status", status=429, headers={"Retry-After": "0"}, count=None)
    job = await service.queued(service.words())
    for low, high in ((1.5, 2.5), (3.1, 4.9)):
        await service.new_hour()
        await service.due_now(job)
        await submit.send(job.pk)
        now = await service.fresh(job)
        assert now.next_attempt_at is not None
        assert low <= (now.next_attempt_at - timezone.now()).total_seconds() <= high


@pytest.mark.parametrize("what", ["limits", "key"])
async def test_what_is_told_on_the_way_never_costs_the_answer(
    what: str, account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("the connection is closed")

    rate_limits.forget()
    monkeypatch.setattr(*((rate_limits, "store") if what == "limits" else (cache, "get")), away)
    job = await service.queued(service.words())
    await submit.send(job.pk)
    assert (await service.fresh(job)).status == "pending"


@pytest.mark.parametrize("error", [OperationalError, InterfaceError])
async def test_an_answer_is_kept_until_the_database_is_back(
    error: type[Exception], account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """VideoGen's id is known nowhere else."""
    monkeypatch.setattr(submit, "PAUSES", (0.0, 0.0, 0.0))
    apply, failures = lifecycle.apply, []

    def away(execution_id: Any, observation: observations.Observation) -> bool:
        if isinstance(observation, observations.Accepted) and len(failures) < 3:
            failures.append(1)
            raise error("terminating connection")
        return apply(execution_id, observation)

    monkeypatch.setattr(lifecycle, "apply", away)
    job = await service.queued(service.words())
    await submit.send(job.pk)
    now = await service.fresh(job)
    assert (now.status, len(failures)) == ("pending", 3)
    assert now.remote_id is not None


async def test_an_answer_is_not_kept_after_the_lease_has_ended(
    account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker may have said by then that nothing is known of it."""
    tries = []

    def away(*_: Any) -> bool:
        tries.append(1)
        raise OperationalError("the connection is closed")

    monkeypatch.setattr(lifecycle, "apply", away)
    now = asyncio.get_running_loop().time()
    for until, count in ((now - 1, 1), (now + 0.3, 2)):
        tries.clear()
        with pytest.raises(OperationalError):
            await submit._keep(uuid.uuid4(), observations.ResponseLost(reason="cut"), until)
        assert len(tries) == count


def test_there_is_time_to_keep_an_answer_before_the_lease_ends() -> None:
    assert leases.LEASE.total_seconds() > leases.CALL_LIMIT + submit.MARGIN


async def test_a_service_that_cannot_be_reached_is_tried_again_later_and_later(
    account: SandboxProcess,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: a connection is refused
        runtime.use_account(account.api_key, f"http://127.0.0.1:{unused.getsockname()[1]}")
        job = await service.queued(service.words())
        waits = []
        for _ in range(3):
            await service.due_now(job)
            await submit.send(job.pk)
            now = await service.fresh(job)
            assert (now.status, now.sent_at) == ("queued", None)
            assert now.next_attempt_at is not None
            waits.append((now.next_attempt_at - timezone.now()).total_seconds())

    assert now.attempts == 3
    # Doubled each time, with a fifth of jitter either way.
    for wait, due in zip(waits, (2, 4, 8), strict=True):
        assert due * 0.8 - 0.5 <= wait <= due * 1.2
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
async def test_a_lost_answer_leaves_the_job_unconfirmed_and_it_is_never_sent_again(
    account: SandboxProcess, fault: dict[str, Any], runs_there: int
) -> None:
    service.order(account, **fault)
    prompt = service.words()
    job = await service.queued(prompt)

    await submit.send(job.pk)
    await service.due_now(job)
    await submit.send(job.pk)

    now = await service.fresh(job)
    assert (now.status, now.remote_id) == ("unconfirmed", None)
    assert len(service.known_there(account, prompt)) == runs_there
    assert await service.kinds(job) == ["started", "sent", "status"]


async def test_no_answer_within_the_limit_is_a_lost_answer(
    account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "CALL_LIMIT", 0.3)
    service.order(account, "slow", seconds=1.5)
    job = await service.queued(service.words())

    await submit.send(job.pk)

    assert (await service.fresh(job)).status == "unconfirmed"


async def test_the_id_of_another_job_is_believed_of_neither(account: SandboxProcess) -> None:
    first = await service.started()
    service.order(account, "status", status=202, body={"toolExecutionId": first.remote_id})
    job = await service.queued(service.words())

    await submit.send(job.pk)

    assert (await service.fresh(job)).status == "unconfirmed"
    assert (await service.fresh(first)).remote_id == first.remote_id


def test_every_error_of_the_client_becomes_an_observation() -> None:
    kinds = [VideoGenError]
    for kind in kinds:
        kinds += kind.__subclasses__()

    told = {
        kind.__name__: type(submit._observation_of(kind("words", status=500), 0)).__name__ for kind in kinds
    }

    sent_again = {name for name, observation in told.items() if observation == "SubmissionDeferred"}
    assert sent_again == {"RateLimited", "Unreachable"}
    unsure = {name for name, observation in told.items() if observation == "ResponseLost"}
    assert unsure == {"VideoGenError", "ServerError", "AnswerLost", "MalformedAnswer"}
