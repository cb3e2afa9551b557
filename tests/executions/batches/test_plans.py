"""Plans and batches: confirming starts exactly the rows shown, once; undo and cancel report each job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from executions import tools
from executions.batches import bulk_actions
from executions.batches import service as batches
from executions.batches.rows import Row
from executions.lifecycle import create, leases, observations, status_machine
from executions.models import Batch, BatchPlan, Event, Execution, Input
from executions.models.event import Kind
from executions.tools import Speech, already_validated
from tests.factories import planning
from tests.factories.files import ready_file
from tests.factories.jobs import accept
from tests.threads import run_together

pytestmark = pytest.mark.django_db


def test_confirming_starts_exactly_the_plans_rows(people: Any) -> None:
    plan = planning.plan(people.ann, 3)

    batch, is_new = batches.confirm(plan.pk, actor=people.ann)

    jobs = planning.jobs(batch)
    assert is_new
    assert [job.request_body["prompt"] for job in jobs] == [
        "a lighthouse 1",
        "a lighthouse 2",
        "a lighthouse 3",
    ]
    assert [job.prompt for job in jobs] == ["a lighthouse 1", "a lighthouse 2", "a lighthouse 3"]
    assert {(job.status, job.created_by, job.tool) for job in jobs} == {
        ("queued", people.ann, "generate-image")
    }
    assert jobs[0].fingerprint == create.fingerprint(tools.find("generate-image"), jobs[0].request_body)
    events = Event.objects.filter(execution__batch=batch)
    assert [(event.kind, event.to_status, event.actor) for event in events] == [
        (Kind.STARTED, "queued", people.ann)
    ] * 3
    assert (batch.size, batch.name, batch.created_by) == (3, "Lighthouses", people.ann)


def test_confirming_twice_starts_once(people: Any) -> None:
    plan = planning.plan(people.ann)

    first, _ = batches.confirm(plan.pk, actor=people.ann)
    second, is_new = batches.confirm(plan.pk, actor=people.ann)

    assert (second, is_new) == (first, False)
    assert Execution.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_confirming_concurrently_starts_once(people: Any) -> None:
    plan = planning.plan(people.ann)

    run_together([lambda: batches.confirm(plan.pk, actor=people.ann)] * 4)

    assert Batch.objects.count() == 1
    assert Execution.objects.count() == 3


def test_the_number_of_statements_does_not_depend_on_the_rows(people: Any) -> None:
    few, many = planning.plan(people.ann, 3), planning.plan(people.ann, 300)

    with CaptureQueriesContext(
        connection,
    ) as small:
        batches.confirm(few.pk, actor=people.ann)
    with CaptureQueriesContext(connection) as large:
        batch, _ = batches.confirm(many.pk, actor=people.ann)

    assert len(large) == len(small)
    assert batch.executions.count() == 300


def test_jobs_become_due_after_the_undo_window_in_order(people: Any) -> None:
    batch, _ = batches.confirm(planning.plan(people.ann, 12).pk, actor=people.ann)

    assert leases.claim_due(10) == []
    assert batch.sends_at - batch.created_at == batches.UNDO_WINDOW
    later = batch.sends_at + timedelta(seconds=1)
    due = Execution.objects.due(later).order_by("next_attempt_at").values_list("pk", flat=True)
    assert list(due) == [job.pk for job in planning.jobs(batch)]
    assert not Execution.objects.due(batch.sends_at - timedelta(milliseconds=1)).exists()


def test_single_jobs_overtake_a_batch(people: Any) -> None:
    planning.batch(people.ann, 20)
    body = {"prompt": "one", "numResults": 1}
    single, _ = create.start(
        tool=tools.find("generate-image"), body=already_validated(body), actor=people.ben
    )

    claimed = leases.claim_due(10)

    assert claimed[0] == single.pk
    assert len(claimed) == 10 - leases.RESERVED_SLOTS, "the batch leaves slots for single jobs"
    assert len(leases.claim_due(leases.RESERVED_SLOTS)) == 0
    body = {"prompt": "another", "numResults": 1}
    next_single, _ = create.start(
        tool=tools.find("generate-image"), body=already_validated(body), actor=people.ben
    )
    assert leases.claim_due(leases.RESERVED_SLOTS) == [next_single.pk]


def test_a_row_with_a_speech_becomes_a_chain_of_two_jobs(people: Any) -> None:
    tool = tools.find("generate-avatar")
    row = Row(
        1,
        already_validated({"avatarPresenterId": "p1", "numResults": 1}),
        speech=Speech("Good evening", "v1"),
    )
    plan = batches.plan(tool, [row], name="News", actor=people.ann)

    batch, _ = batches.confirm(plan.pk, actor=people.ann)

    speech, avatar = planning.jobs(batch)
    assert batch.size == 2
    assert (speech.tool, speech.request_body["ttsText"], speech.request_body["voiceId"]) == (
        "text-to-speech",
        "Good evening",
        "v1",
    )
    assert (avatar.tool, avatar.after, avatar.after_field, avatar.fingerprint) == (
        "generate-avatar",
        speech,
        "audioFileId",
        "",
    )
    assert avatar.prompt == "Avatar: “Good evening”"


def test_files_named_by_rows_become_their_inputs(people: Any) -> None:
    files = [ready_file(name) for name in ("one", "two")]
    rows = [
        Row(n, already_validated({"imageFileId": file.remote_id, "numResults": 1}))
        for n, file in enumerate(files, 1)
    ]

    batch, _ = batches.confirm(
        batches.plan(tools.find("upscale-image"), rows, name="", actor=people.ann).pk, actor=people.ann
    )

    inputs = Input.objects.filter(execution__batch=batch).order_by("execution_id")
    assert [(each.field, each.position, each.file) for each in inputs] == [
        ("imageFileId", 0, files[0]),
        ("imageFileId", 0, files[1]),
    ]
    assert [job.prompt for job in planning.jobs(batch)] == ["Upscale “one”", "Upscale “two”"]


def test_rows_run_before_are_marked_and_can_be_skipped(people: Any) -> None:
    before = planning.finished_job(people.ben, planning.rows(2)[1])

    plan = planning.plan(people.ann, 3)
    batch, _ = batches.confirm(plan.pk, actor=people.ann, only_new=True)

    assert [row["made"] for row in plan.rows] == ["", str(before.pk), ""]
    assert [job.prompt for job in planning.jobs(batch)] == ["a lighthouse 1", "a lighthouse 3"]


def test_skipping_all_rows_is_an_error(people: Any) -> None:
    planning.finished_job(people.ben, planning.rows(1)[0])
    plan = planning.plan(people.ann, 1)

    with pytest.raises(ValueError, match="nothing left to start"):
        batches.confirm(plan.pk, actor=people.ann, only_new=True)
    assert not Batch.objects.exists()


@pytest.mark.parametrize("count", [0, batches.MAX_ROWS + 1])
def test_the_number_of_rows_is_limited(people: Any, count: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 500"):
        planning.plan(people.ann, count)


def test_old_unconfirmed_plans_are_deleted(people: Any) -> None:
    old, used, others = planning.plan(people.ann), planning.plan(people.ann), planning.plan(people.ben)
    batches.confirm(used.pk, actor=people.ann)
    BatchPlan.objects.update(created_at=timezone.now() - batches.PLAN_TTL - timedelta(minutes=1))

    planning.plan(people.ann)

    left = set(BatchPlan.objects.values_list("pk", flat=True))
    assert old.pk not in left
    assert {used.pk, others.pk} <= left


# --- undo -------------------------------------------------------------------------------------------------


def test_undo_cancels_all_jobs_before_they_are_sent(people: Any) -> None:
    batch = planning.batch(people.ann, held=True)

    stopped = batches.undo(batch, actor=people.ann)

    jobs = planning.jobs(batch)
    assert stopped == 3
    assert {(job.status, job.sent_at, job.cancel_requested_by) for job in jobs} == {
        ("cancelled", None, people.ann)
    }
    batch.refresh_from_db()
    assert batch.undone_at is not None
    assert not batch.can_be_undone


def test_undo_is_refused_once_requests_may_have_been_sent(people: Any) -> None:
    batch = planning.batch(people.ann)

    with pytest.raises(batches.TooLate, match="have been sent"):
        batches.undo(batch, actor=people.ann)
    assert {job.status for job in planning.jobs(batch)} == {"queued"}


def test_an_interrupted_undo_sends_nothing_and_can_be_completed(people: Any, monkeypatch: Any) -> None:
    batch = planning.batch(people.ann, held=True)
    with monkeypatch.context() as cut:
        cut.setattr(batches, "_cancel_each", lambda ids, user_id: {})
        batches.undo(batch, actor=people.ann)
    assert not Execution.objects.due(timezone.now() + timedelta(hours=1)).exists()

    assert batches.undo(Batch.objects.get(pk=batch.pk), actor=people.ann) == 3

    assert {job.status for job in planning.jobs(batch)} == {"cancelled"}


# --- cancel -----------------------------------------------------------------------------------------------


def test_cancel_affects_exactly_the_listed_jobs_and_reports_each(people: Any) -> None:
    batch = planning.batch(people.ann, 6)
    unsent, taken, ended, lost, requested, late = planning.jobs(batch)
    accept(taken)
    status_machine.apply(lost.pk, observations.SubmissionStarted())
    status_machine.apply(lost.pk, observations.SubmissionUnconfirmed(reason="cut"))
    accept(requested)
    status_machine.apply(requested.pk, observations.CancelRequested(actor_id=people.ann.pk))
    planning.finish(late, "succeeded")
    request = planning.cancel_request(batch, actor=people.ada)
    planning.finish(ended, "succeeded")  # between the list and its confirmation

    done = batches.cancel(request, actor=people.ada)

    assert done.report == {
        str(unsent.pk): bulk_actions.CANCELLED,
        str(taken.pk): bulk_actions.CANCEL_REQUESTED,
        str(ended.pk): bulk_actions.ALREADY_FINISHED,
        str(lost.pk): bulk_actions.UNCONFIRMED,
        str(requested.pk): bulk_actions.ALREADY_REQUESTED,
    }
    assert [job.status for job in planning.jobs(batch)] == [
        "cancelled",
        "pending",
        "succeeded",
        "unconfirmed",
        "pending",
        "succeeded",
    ]


def test_cancelling_twice_has_no_further_effect(people: Any) -> None:
    batch = planning.batch(people.ann)
    request = planning.cancel_request(batch, actor=people.ann)
    first = batches.cancel(request, actor=people.ann).report

    again = batches.cancel(request, actor=people.ada).report

    assert again == first == {str(job.pk): bulk_actions.CANCELLED for job in planning.jobs(batch)}
    assert Event.objects.filter(execution__batch=batch, to_status="cancelled").count() == 3


def test_jobs_waiting_for_a_speech_are_cancelled_and_do_not_fail(people: Any) -> None:
    rows = [
        Row(n, already_validated({"avatarPresenterId": "p1", "numResults": 1}), speech=Speech("Good evening"))
        for n in range(8)
    ]
    plan = batches.plan(tools.find("generate-avatar"), rows, name="", actor=people.ann)
    batch, _ = batches.confirm(plan.pk, actor=people.ann)

    batches.cancel(planning.cancel_request(batch, actor=people.ann), actor=people.ann)

    assert {job.status for job in planning.jobs(batch)} == {"cancelled"}
    ends = Event.objects.filter(execution__batch=batch, to_status="cancelled").order_by("id")
    assert [event.execution.tool for event in ends] == ["generate-avatar", "text-to-speech"] * 8


# --- re-run -----------------------------------------------------------------------------------------------


def test_a_rerun_plans_exactly_the_failed_jobs(people: Any) -> None:
    batch = planning.batch(people.ann)
    failed, fine, running = planning.jobs(batch)
    planning.finish(failed, "failed", error={"message": "no"})
    planning.finish(fine, "succeeded")
    accept(running)

    plan = batches.plan_rerun(batch, "failed", actor=people.ben)

    assert plan is not None
    assert [row["body"]["prompt"] for row in plan.rows] == ["a lighthouse 1"]
    assert (plan.name, plan.created_by) == ("Lighthouses (again)", people.ben)
    assert batches.plan_rerun(batch, "cancelled", actor=people.ben) is None


def test_a_rerun_repeats_a_failed_speech(people: Any) -> None:
    row = Row(
        1,
        already_validated({"avatarPresenterId": "p1", "numResults": 1}),
        speech=Speech("Good evening", "v1"),
    )
    plan = batches.plan(tools.find("generate-avatar"), [row], name="", actor=people.ann)
    batch, _ = batches.confirm(plan.pk, actor=people.ann)
    speech, avatar = planning.jobs(batch)
    planning.finish(speech, "failed")
    status_machine.apply(
        avatar.pk, observations.SubmissionRejected(error={"message": "The speech before it failed."})
    )

    again = batches.plan_rerun(batch, "failed", actor=people.ann)

    assert again is not None
    assert [(row["speech"], row["body"]) for row in again.rows] == [
        ({"words": "Good evening", "voice_id": "v1"}, avatar.request_body)
    ]


def test_counts_of_many_batches_take_one_query(people: Any, django_assert_num_queries: Any) -> None:
    first, second = planning.batch(people.ann, 2), planning.batch(people.ben, 3)
    planning.finish(planning.jobs(second)[0], "succeeded")

    with django_assert_num_queries(1):
        counts = batches.counts([first.pk, second.pk])

    assert counts[first.pk] == {"queued": 2}
    assert counts[second.pk] == {"queued": 2, "succeeded": 1}
    assert batches.in_flight(5) == [second, first]
