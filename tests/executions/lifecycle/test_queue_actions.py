"""Actions on queued jobs: pause, move to the front, edit. If a worker is about to submit the job, one of the two succeeds."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from executions import tools
from executions.core.runtime import in_db
from executions.lifecycle import create, leases, observations, queue_actions, queue_state, status_machine
from executions.lifecycle.estimates import QueueSnapshot
from executions.models import Event, Execution
from executions.models.event import ActKind, Kind
from executions.sync import reconciler, submit
from executions.tools import already_validated
from tests import steps
from tests.conftest import SandboxProcess
from tests.factories import jobs, planning
from tests.factories.files import ready_file
from tests.threads import run_together

IMAGE = tools.find("generate-image")


def events(job: Execution) -> list[tuple[str, int | None]]:
    return list(Event.objects.filter(execution=job).values_list("kind", "actor_id"))


def body(prompt: str) -> dict[str, Any]:
    return {"prompt": prompt, "numResults": 1}


def edit(job: Execution, prompt: str, user: Any) -> bool:
    return queue_actions.edit(
        job, IMAGE, already_validated(body(prompt)), before=job.request_body, actor=user
    )


# --- pause ------------------------------------------------------------------------------------------------


def test_a_paused_job_is_not_claimed_until_it_is_resumed(ada: Any) -> None:
    job = jobs.queued()

    assert queue_actions.pause(job, actor=ada)
    assert not queue_actions.pause(job, actor=ada)
    assert leases.claim_due(5) == []
    assert not leases.claim(job.pk)
    assert reconciler.seconds_until_due() == reconciler.MAX_SLEEP, (
        "a paused job must not keep the worker busy"
    )

    assert queue_actions.resume(job, actor=ada)
    assert leases.claim_due(5) == [job.pk]
    assert events(job) == [(Kind.STARTED, None), (Kind.PAUSED, ada.pk), (Kind.RESUMED, ada.pk)]


def test_a_job_that_is_not_paused_or_no_longer_queued_is_not_resumed(ada: Any) -> None:
    job = jobs.queued()
    assert not queue_actions.resume(job, actor=ada)
    assert events(job) == [(Kind.STARTED, None)]

    assert queue_actions.pause(job, actor=ada)
    assert status_machine.apply(job.pk, observations.CancelRequested())
    assert not queue_actions.resume(job, actor=ada)


def test_a_submitted_job_can_be_neither_paused_nor_edited_nor_moved(ada: Any) -> None:
    for job in (jobs.sending(), jobs.running("vg_exec_2")):
        before = events(job)
        assert not queue_actions.pause(job, actor=ada)
        assert not queue_actions.move_to_front(job, actor=ada)
        assert not edit(job, "something else", ada)
        assert events(job) == before


async def test_a_pause_between_claim_and_submission_prevents_it(account: SandboxProcess, people: Any) -> None:
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)
    assert await in_db(leases.claim, job.pk)

    assert await in_db(partial(queue_actions.pause, job, actor=people.ada))
    await submit.send_claimed(job.pk)

    assert await steps.sandbox_jobs(account, prompt) == []
    now = await steps.reload(job)
    assert (now.status, now.sent_at, now.leased_until) == ("queued", None, None)


@pytest.mark.django_db(transaction=True)
def test_of_a_concurrent_pause_and_submission_one_succeeds(ada: Any) -> None:
    for _ in range(15):
        job = jobs.queued()

        paused, sent = run_together(
            [
                partial(queue_actions.pause, job, actor=ada),
                partial(status_machine.apply, job.pk, observations.SubmissionStarted(body=job.request_body)),
            ]
        )

        now = jobs.reload(job)
        assert paused != sent
        assert (now.paused_at is not None, now.was_sent) == (paused, sent)


# --- edit -------------------------------------------------------------------------------------------------


def test_an_edit_records_the_request_before_and_after(ada: Any) -> None:
    old = ready_file("harbour")
    new = ready_file("pier")
    job, _ = create.start(
        tool=IMAGE, body=already_validated(body("a harbour") | {"imageFileIds": [old.remote_id]}), actor=ada
    )
    before = job.request_body
    after = body("a pier") | {"imageFileIds": [new.remote_id]}

    assert queue_actions.edit(job, IMAGE, already_validated(after), before=before, actor=ada)

    now = jobs.reload(job)
    assert (now.request_body, now.prompt) == (after, "a pier")
    assert now.fingerprint == create.fingerprint(IMAGE, after)
    assert [each.file for each in now.inputs.all()] == [new]
    event = Event.objects.get(execution=job, kind=Kind.EDITED)
    assert (event.actor_id, event.detail) == (ada.pk, {"before": before, "after": after})
    assert not queue_actions.edit(job, IMAGE, already_validated(body("again")), before=before, actor=ada), (
        "it was edited meanwhile"
    )


@pytest.mark.django_db(transaction=True)
def test_a_concurrent_edit_and_submission_send_the_stored_request(
    ada: Any,
) -> None:
    for number in range(15):
        job = jobs.queued("before")
        leases.claim(job.pk)

        edited, request = run_together(
            [partial(edit, job, f"after {number}", ada), partial(submit._prepare, job.pk)]
        )

        now = jobs.reload(job)
        if request is None:
            assert edited
            assert not now.was_sent, "it is prepared again, from the edited request"
        else:
            assert request[1] == now.request_body, (
                "no edit is lost, and none is made after the request was sent"
            )
            assert now.was_sent
        assert (now.request_body["prompt"] == f"after {number}") == edited


async def test_an_edited_job_sends_the_edited_request(account: SandboxProcess, people: Any) -> None:
    first, second = steps.unique_prompt(), steps.unique_prompt()
    job = await steps.queued(first)

    assert await in_db(edit, job, second, people.ada)
    await submit.send(job.pk)

    assert await steps.sandbox_jobs(account, first) == []
    assert len(await steps.sandbox_jobs(account, second)) == 1


# --- order ------------------------------------------------------------------------------------------------


def test_prioritised_jobs_come_first_and_batches_last(people: Any) -> None:
    batch = planning.jobs(planning.batch(people.ann, 3))
    first, second, third = (jobs.queued() for _ in range(3))
    for number, job in enumerate((first, second, third)):
        at = timezone.now() - timedelta(seconds=10 - number)
        Execution.objects.filter(pk=job.pk).update(next_attempt_at=at)

    queue_actions.move_to_front(third, actor=people.ada)
    queue_actions.move_to_front(batch[2], actor=people.ann)

    order = [batch[2].pk, third.pk, first.pk, second.pk, batch[0].pk, batch[1].pk]
    snapshot = QueueSnapshot()
    assert snapshot.queued_ids == order
    assert [snapshot.position(job) for job in (batch[2], first, batch[1])] == [1, 3, 6]
    assert set(leases.claim_due(4)) == set(order[:4])
    assert QueueSnapshot().position(first) is None, "a leased job has no position"
    assert events(third) == [(Kind.STARTED, None), (Kind.MOVED_TO_FRONT, people.ada.pk)]


def test_paused_and_dependent_jobs_have_no_position(people: Any) -> None:
    job, paused = jobs.queued(), jobs.queued()
    follower = jobs.queued(after=job, after_field="imageFileIds")
    queue_actions.pause(paused, actor=people.ada)

    assert QueueSnapshot().queued_ids == [job.pk]
    assert QueueSnapshot().position(follower) is None


# --- the whole queue --------------------------------------------------------------------------------------


def test_while_the_queue_is_paused_only_submissions_stop(people: Any) -> None:
    waiting, running = jobs.queued(), jobs.running()
    crashed = jobs.sending()
    Execution.objects.filter(pk__in=[running.pk, crashed.pk]).update(
        next_attempt_at=timezone.now(), leased_until=None
    )

    assert queue_state.pause_all(actor=people.ada)
    assert not queue_state.pause_all(actor=people.ada)
    assert set(leases.claim_due(9)) == {running.pk, crashed.pk}
    leases.claim(waiting.pk)
    assert submit._prepare(waiting.pk) is None

    assert queue_state.resume_all(actor=people.ada)
    assert leases.claim_due(9) == [waiting.pk]
    acts = Event.objects.filter(subject_type="queue").values_list("kind", "actor_id")
    assert list(acts) == [(ActKind.QUEUE_PAUSED, people.ada.pk), (ActKind.QUEUE_RESUMED, people.ada.pk)]


def test_only_the_queued_jobs_of_a_batch_are_paused_and_resumed(people: Any) -> None:
    batch = planning.batch(people.ann, 4)
    jobs.accept(planning.jobs(batch)[0])

    assert queue_actions.pause_batch(batch, actor=people.ann) == 3
    assert leases.claim_due(20, 0) == []
    assert queue_actions.resume_batch(batch, actor=people.ann) == 3
    assert queue_actions.resume_batch(batch, actor=people.ann) == 0
