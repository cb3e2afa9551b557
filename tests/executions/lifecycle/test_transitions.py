"""The table of the status machine, case by case: what may follow does, and what may not changes nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.lifecycle import observations, status_machine, transitions
from executions.lifecycle.transitions import ANY_NON_FINAL, FOLLOWERS
from executions.models import Execution, Result
from executions.models.event import Kind, Source
from executions.statuses import (
    ALL,
    CANCELLED,
    FAILED,
    PENDING,
    QUEUED,
    RUNNING,
    SUCCEEDED,
    TERMINAL,
    UNCONFIRMED,
)
from tests.factories import jobs

pytestmark = pytest.mark.django_db

UNKNOWN = "hibernating"
BEING_SENT = "queued, being sent"
STATES = (QUEUED, BEING_SENT, UNCONFIRMED, PENDING, RUNNING, UNKNOWN)
REPORTED = (PENDING, RUNNING, SUCCEEDED, FAILED, CANCELLED, UNKNOWN, "awaiting_approval")
NOW = timezone.now()

# A realistic observation of each kind.
OBSERVATIONS: dict[str, observations.Observation] = {
    "submission started": observations.SubmissionStarted(),
    "submission deferred": observations.SubmissionDeferred(reason="busy", next_attempt_at=NOW),
    "rejected": observations.SubmissionRejected(error={"message": "no"}),
    "response lost": observations.SubmissionUnconfirmed(reason="cut"),
    "accepted": observations.Accepted(remote_id="vg_exec_other"),
    "cancel requested": observations.CancelRequested(),
    "cancel accepted": observations.CancelAccepted(),
    **{
        f"{status} reported": observations.StatusReported(source=Source.POLL, status=status)
        for status in REPORTED
    },
}


def job_in(status: str) -> Execution:
    """A job that reached `status` through observations."""
    if status == QUEUED:
        return jobs.queued()
    if status == BEING_SENT:
        return jobs.sending()
    if status == UNCONFIRMED:
        job = jobs.sending()
        status_machine.apply(job.pk, observations.SubmissionUnconfirmed(reason="cut"))
        return jobs.reload(job)
    job = jobs.accepted()
    if status != PENDING:
        assert jobs.report(job, status)
    return jobs.reload(job)


def columns(job: Execution) -> dict[str, Any]:
    return Execution.objects.filter(pk=job.pk).values().get()


@pytest.mark.parametrize("name", OBSERVATIONS)
@pytest.mark.parametrize("before", STATES)
def test_an_observation_follows_the_table_and_applies_once(before: str, name: str) -> None:
    job = job_in(before)
    observation = OBSERVATIONS[name]

    changed = status_machine.apply(job.pk, observation)

    now = jobs.reload(job)
    cancelled_unsent = (job.status, now.status, job.sent_at) == (QUEUED, CANCELLED, None)
    assert now.status == job.status or transitions.may_follow(job.status, now.status) or cancelled_unsent
    assert jobs.replay_status(job) == now.status
    assert now.version == job.version + int(changed)
    assert (now.ended_at is not None) == (now.status in TERMINAL)
    assert now.ended_at is None or now.next_attempt_at is None
    # The same observation has no further effect.
    row, story = columns(job), jobs.events_of(job)
    assert status_machine.apply(job.pk, observation) is False
    assert (columns(job), jobs.events_of(job)) == (row, story)


@pytest.mark.parametrize("reported", REPORTED)
@pytest.mark.parametrize("before", [PENDING, RUNNING, UNKNOWN])
def test_a_reported_status_is_applied_if_the_table_allows_it(before: str, reported: str) -> None:
    job = job_in(before)

    changed = jobs.report(job, reported)

    allowed = transitions.may_follow(before, reported) and reported != before
    assert changed == allowed
    assert jobs.reload(job).status == (reported if allowed else before)


@pytest.mark.parametrize("end", sorted(TERMINAL))
def test_a_finished_job_never_changes(end: str) -> None:
    job = job_in(end)
    row, story = columns(job), jobs.events_of(job)

    applied = [
        name for name, observation in OBSERVATIONS.items() if status_machine.apply(job.pk, observation)
    ]

    assert applied == []
    assert (columns(job), jobs.events_of(job)) == (row, story)


def test_the_table_has_every_status_and_final_ones_have_no_followers() -> None:
    assert set(FOLLOWERS) == {*ALL, ANY_NON_FINAL}
    assert all(FOLLOWERS[status] == frozenset() for status in TERMINAL)
    assert all(FOLLOWERS[status] for status in FOLLOWERS if status not in TERMINAL)
    assert {follower for followers in FOLLOWERS.values() for follower in followers} <= set(FOLLOWERS)


def test_what_may_follow_what() -> None:
    statuses, ends = (*ALL, UNKNOWN), (SUCCEEDED, FAILED, CANCELLED)

    allowed = {
        before: {after for after in statuses if transitions.may_follow(before, after)} for before in statuses
    }

    assert allowed == {
        QUEUED: {PENDING, UNCONFIRMED, FAILED, CANCELLED},
        UNCONFIRMED: {PENDING},
        PENDING: {RUNNING, UNKNOWN, *ends},
        RUNNING: {UNKNOWN, *ends},
        UNKNOWN: {RUNNING, UNKNOWN, *ends},
        **{end: set() for end in ends},
    }


def test_a_job_without_an_id_ignores_reports() -> None:
    for job in (jobs.queued(), jobs.sending(), job_in(UNCONFIRMED)):
        assert not any(jobs.report(job, status) for status in REPORTED)
        assert jobs.reload(job).status == job.status


# --- the contents of a change -----------------------------------------------------------------------------


def test_the_events_record_every_change() -> None:
    job = jobs.accepted("vg_exec_7")
    jobs.report(job, RUNNING, attempt=0, progress=3.0)
    jobs.report(job, SUCCEEDED, Source.WEBHOOK, results=jobs.results("vg_file_a", "vg_file_b"))

    assert jobs.events_of(job) == [
        (Kind.STARTED, "", QUEUED, Source.PERSON),
        (Kind.SENT, QUEUED, QUEUED, Source.SYSTEM),
        (Kind.STATUS, QUEUED, PENDING, Source.RESPONSE),
        (Kind.STATUS, PENDING, RUNNING, Source.POLL),
        (Kind.STATUS, RUNNING, SUCCEEDED, Source.WEBHOOK),
    ]
    ended = jobs.reload(job)
    assert ended.remote_id == "vg_exec_7"
    assert ended.progress == 100.0
    assert list(ended.results.values_list("file__remote_id", "position")) == [
        ("vg_file_a", 0),
        ("vg_file_b", 1),
    ]
    assert ended.events.last().detail == {"results": 2}


def test_progress_rises_within_an_attempt_and_restarts_with_the_next() -> None:
    job = jobs.accepted()
    reports = [(0, 10.0), (0, 40.0), (0, 25.0), (1, 5.0), (0, 90.0), (1, 60.0)]

    shown = []
    for attempt, progress in reports:
        jobs.report(job, RUNNING, attempt=attempt, progress=progress)
        now = jobs.reload(job)
        shown.append((now.attempt, now.progress))

    assert shown == [(0, 10.0), (0, 40.0), (0, 40.0), (1, 5.0), (1, 5.0), (1, 60.0)]
    assert jobs.events_of(job)[-1] == (Kind.ATTEMPT, RUNNING, RUNNING, Source.POLL)
    assert Result.objects.count() == 0


def test_progress_alone_records_no_event() -> None:
    job = jobs.running()
    before = jobs.events_of(job)

    assert jobs.report(job, RUNNING, attempt=0, progress=55.0)

    assert jobs.events_of(job) == before
    assert jobs.reload(job).progress == 55.0


def test_a_new_attempt_may_be_pending_again() -> None:
    job = jobs.running()

    assert jobs.report(job, PENDING, attempt=1, progress=0.0)

    now = jobs.reload(job)
    assert (now.status, now.attempt, now.progress) == (PENDING, 1, 0.0)
    assert jobs.replay_status(job) == PENDING


def test_a_late_pending_does_not_reset_a_running_job() -> None:
    job = jobs.running()

    assert jobs.report(job, PENDING, attempt=0, progress=0.0) is False

    assert jobs.reload(job).status == RUNNING


def test_a_deferred_submission_is_sent_again() -> None:
    job = jobs.sending()
    later = timezone.now() + timedelta(minutes=5)

    status_machine.apply(
        job.pk, observations.SubmissionDeferred(reason="the hourly limit is used up", next_attempt_at=later)
    )
    now = jobs.reload(job)
    assert (now.status, now.sent_at, now.next_attempt_at, now.attempts) == (QUEUED, None, later, 1)
    assert now.note == "the hourly limit is used up"

    assert status_machine.apply(job.pk, observations.SubmissionStarted())
    assert jobs.reload(job).note == ""
    assert [step[0] for step in jobs.events_of(job)] == [Kind.STARTED, Kind.SENT, Kind.POSTPONED, Kind.SENT]


def test_an_accepted_job_starts_afresh_and_is_polled_after_a_second() -> None:
    job = jobs.sending()
    Execution.objects.filter(pk=job.pk).update(note="busy", attempts=3, leased_until=NOW)

    status_machine.apply(job.pk, observations.Accepted(remote_id="vg_exec_1", at=NOW, answer={"id": 1}))

    now = jobs.reload(job)
    assert (now.accepted_at, now.last_reported_at) == (NOW, NOW)
    assert (now.next_attempt_at, now.leased_until) == (NOW + timedelta(seconds=1), None)
    assert (now.note, now.attempts, now.start_answer) == ("", 0, {"id": 1})
    assert now.events.last().detail == {"remote_id": "vg_exec_1"}


def test_an_unconfirmed_job_waits_for_nothing_and_says_why() -> None:
    job = jobs.sending()
    Execution.objects.filter(pk=job.pk).update(note="busy", next_attempt_at=NOW, leased_until=NOW)

    status_machine.apply(job.pk, observations.SubmissionUnconfirmed(reason="the connection was cut"))

    now = jobs.reload(job)
    assert (now.status, now.note, now.next_attempt_at, now.leased_until) == (UNCONFIRMED, "", None, None)
    assert now.events.last().detail == {"reason": "the connection was cut"}


def test_each_report_is_stored_with_its_time() -> None:
    job = jobs.accepted()
    created, first, second, third = (NOW - timedelta(seconds=age) for age in (30, 20, 15, 5))
    Execution.objects.filter(pk=job.pk).update(created_at=created, note="busy", leased_until=NOW)

    def report(status: str, at: datetime, **fields: Any) -> Execution:
        assert jobs.report(job, status, at=at, answer={"at": at.isoformat()}, **fields)
        now = jobs.reload(job)
        assert now.last_answer == {"at": at.isoformat()}
        return now

    now = report(RUNNING, first, progress=0.5)
    assert (now.running_at, now.last_reported_at, now.progress) == (first, first, 0.5)
    now = report(RUNNING, second, progress=9.0)
    assert (now.running_at, now.last_reported_at) == (first, second)
    now = report(SUCCEEDED, third)
    assert (now.running_at, now.ended_at, now.duration) == (first, third, 25.0)
    assert (now.note, now.next_attempt_at, now.leased_until) == ("", None, None)


def test_a_queued_job_is_cancelled_locally() -> None:
    job = jobs.queued()

    assert status_machine.apply(job.pk, observations.CancelRequested())

    now = jobs.reload(job)
    assert now.status == CANCELLED
    assert now.cancel_requested_at is not None
    assert not status_machine.apply(job.pk, observations.SubmissionStarted())


def test_a_job_cancelled_while_being_sent_is_cancelled_when_deferred() -> None:
    job = jobs.sending()
    assert status_machine.apply(job.pk, observations.CancelRequested())
    assert jobs.reload(job).status == QUEUED

    status_machine.apply(
        job.pk, observations.SubmissionDeferred(reason="busy", next_attempt_at=timezone.now())
    )

    assert jobs.reload(job).status == CANCELLED
    assert jobs.final_statuses(job) == [CANCELLED]


def test_a_job_cancelled_while_being_sent_is_due_at_once_when_accepted() -> None:
    job = jobs.sending()
    status_machine.apply(job.pk, observations.CancelRequested())

    status_machine.apply(job.pk, observations.Accepted(remote_id="vg_exec_1"))

    now = jobs.reload(job)
    assert now.status == PENDING
    assert now.next_attempt_at <= timezone.now()


def test_an_end_time_in_the_future_is_limited_to_now() -> None:
    job = jobs.accepted()

    jobs.report(job, SUCCEEDED, Source.WEBHOOK, at=timezone.now() + timedelta(hours=2))

    assert jobs.reload(job).ended_at <= timezone.now()


def test_an_error_is_stored_only_with_a_failure() -> None:
    failed, succeeded = jobs.accepted("vg_exec_1"), jobs.accepted("vg_exec_2")

    jobs.report(failed, FAILED, error={"message": "blocked", "code": "content_policy_violation"})
    jobs.report(succeeded, SUCCEEDED, error={"message": "ignored"})

    assert jobs.reload(failed).error == {"message": "blocked", "code": "content_policy_violation"}
    assert jobs.reload(succeeded).error is None


def test_the_id_of_another_job_is_not_accepted() -> None:
    from django.db import IntegrityError, transaction

    jobs.accepted("vg_exec_1")
    job = jobs.sending()

    with pytest.raises(IntegrityError), transaction.atomic():
        status_machine.apply(job.pk, observations.Accepted(remote_id="vg_exec_1"))

    assert jobs.reload(job).status == QUEUED
    assert jobs.replay_status(job) == QUEUED


def test_a_non_observation_raises_type_error() -> None:
    with pytest.raises(TypeError, match="not an observation"):
        transitions.decide("succeeded", jobs.queued())  # type: ignore[arg-type]
