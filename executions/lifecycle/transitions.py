"""The transitions: one pure function for each kind of observation, and the table of allowed status changes.

A transition takes the job as read and returns a `Change`, or None when nothing changes. `executions.lifecycle.status_machine`
writes the change. Rows other than the job's own (results, inputs) are written by `Change.then`, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.utils import timezone

from executions.files.store import store_results
from executions.lifecycle import observations
from executions.lifecycle.errors import error_code
from executions.models import Execution, Input
from executions.models.event import Kind
from executions.statuses import CANCELLED, FAILED, PENDING, QUEUED, RUNNING, SUCCEEDED, TERMINAL, UNCONFIRMED

# An unknown status of VideoGen's counts as not final (docs/api-notes.md#statuses).
ANY_NON_FINAL = "*"

# The allowed changes from each status. Unknown statuses, which are not keys, follow the last line.
FOLLOWERS: dict[str, frozenset[str]] = {
    QUEUED: frozenset({PENDING, UNCONFIRMED, FAILED, CANCELLED}),
    UNCONFIRMED: frozenset({PENDING}),
    PENDING: frozenset({RUNNING, ANY_NON_FINAL, SUCCEEDED, FAILED, CANCELLED}),
    RUNNING: frozenset({ANY_NON_FINAL, SUCCEEDED, FAILED, CANCELLED}),
    SUCCEEDED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
    ANY_NON_FINAL: frozenset({RUNNING, ANY_NON_FINAL, SUCCEEDED, FAILED, CANCELLED}),
}
assert all(not FOLLOWERS[status] for status in TERMINAL), "a terminal status has no follower"

# Time from the acceptance of a job to its first poll.
FIRST_POLL_DELAY = timedelta(seconds=1)


def may_follow(before: str, after: str) -> bool:
    followers = FOLLOWERS.get(before, FOLLOWERS[ANY_NON_FINAL])
    return after in followers or (after not in FOLLOWERS and ANY_NON_FINAL in followers)


@dataclass
class Change:
    """The effect of an observation on a job: columns to write, and the kind of event to record (None: no event)."""

    columns: dict[str, Any]
    kind: Kind | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    then: Callable[[Execution], None] | None = None


def submission_started(observation: observations.SubmissionStarted, execution: Execution) -> Change | None:
    """Mark the job as sent. Nothing if it is paused, was sent already, or was edited since the request was prepared."""
    if not execution.is_to_send or execution.paused_at is not None:
        return None
    if observation.based_on is not None and observation.based_on != execution.request_body:
        # The request was edited while this submission was being prepared.
        return None
    columns: dict[str, Any] = {"sent_at": observation.at, "note": ""}
    if observation.body is not None and observation.body != execution.request_body:
        columns["request_body"] = observation.body
    return Change(columns, Kind.SENT)


def submission_deferred(observation: observations.SubmissionDeferred, execution: Execution) -> Change | None:
    """Return the job to the queue until `next_attempt_at`; end it as cancelled if that was requested meanwhile."""
    if execution.status != QUEUED or not execution.was_sent:
        return None
    if execution.cancel_requested_at is not None:
        # Nothing was started, so the cancel request is fulfilled.
        return _finish(CANCELLED, observation, execution)
    columns = {
        "sent_at": None,
        "note": observation.reason,
        "next_attempt_at": observation.next_attempt_at,
        "attempts": execution.attempts + 1,
        "leased_until": None,
    }
    return Change(columns, Kind.POSTPONED, {"reason": observation.reason, **observation.detail})


def submission_rejected(observation: observations.SubmissionRejected, execution: Execution) -> Change | None:
    """End the job as failed, with VideoGen's error."""
    if execution.status != QUEUED:
        return None
    change = _finish(FAILED, observation, execution, error=observation.error)
    change.columns["start_answer"] = observation.answer
    return change


def submission_unconfirmed(
    observation: observations.SubmissionUnconfirmed, execution: Execution
) -> Change | None:
    """Mark the job as unconfirmed, with no next attempt, until its id at VideoGen is known."""
    if execution.status != QUEUED or not execution.was_sent:
        return None
    # Never sent again automatically: it may be running, and billed.
    columns = {"status": UNCONFIRMED, "note": "", "next_attempt_at": None, "leased_until": None}
    return Change(columns, Kind.STATUS, {"reason": observation.reason})


def accepted(observation: observations.Accepted, execution: Execution) -> Change | None:
    """Store VideoGen's id, and schedule the first poll, or the cancel request if there is one."""
    if execution.remote_id is not None or not may_follow(execution.status, PENDING):
        return None
    wants_cancel = execution.cancel_requested_at is not None
    columns = {
        "status": PENDING,
        "remote_id": observation.remote_id,
        "accepted_at": observation.at,
        "last_reported_at": observation.at,
        "next_attempt_at": observation.at + (timedelta(0) if wants_cancel else FIRST_POLL_DELAY),
        "note": "",
        "attempts": 0,
        "leased_until": None,
        "start_answer": observation.answer,
    }
    return Change(columns, Kind.STATUS, {"remote_id": observation.remote_id})


def status_reported(observation: observations.StatusReported, execution: Execution) -> Change | None:
    """End the job with its results or error, or apply the progress of one that runs."""
    if execution.is_terminal or execution.remote_id is None:
        return None
    if observation.status in TERMINAL:
        change = _finish(observation.status, observation, execution, error=observation.error)
        change.columns["last_answer"] = observation.answer
        if observation.status == SUCCEEDED:
            change.columns["progress"] = None if execution.progress is None else 100.0
        results = observation.results
        change.detail = {"results": len(results)} if results else {}
        change.then = lambda execution: store_results(execution, results)
        return change
    return _progressed(observation, execution)


def _progressed(observation: observations.StatusReported, execution: Execution) -> Change | None:
    """Apply a status that is not final, if it is ahead of the stored one.

    Responses can overtake each other, so the order is by attempt, status and progress, not by clock.
    """
    current_attempt = execution.attempt or 0
    attempt = current_attempt if observation.attempt is None else observation.attempt
    if attempt < current_attempt:
        return None
    new_attempt = attempt > current_attempt
    # VideoGen's own retry may start as pending again.
    follows = may_follow(execution.status, observation.status) or (
        new_attempt and observation.status == PENDING
    )
    status = observation.status if follows else execution.status
    if observation.status not in (status, PENDING):
        return None

    columns: dict[str, Any] = {}
    if status != execution.status:
        columns["status"] = status
        if execution.running_at is None and status == RUNNING:
            columns["running_at"] = observation.at
    if observation.attempt is not None and attempt != execution.attempt:
        columns["attempt"] = attempt
    if new_attempt or (observation.progress is not None and observation.progress > (execution.progress or 0)):
        columns["progress"] = observation.progress
    if not columns:
        return None
    kind = Kind.STATUS if "status" in columns else Kind.ATTEMPT if new_attempt else None
    columns |= {"last_reported_at": observation.at, "last_answer": observation.answer}
    return Change(columns, kind, {"attempt": attempt} if new_attempt else {})


def cancel_requested(observation: observations.CancelRequested, execution: Execution) -> Change | None:
    """End a job that was not sent as cancelled. For one that was, store the request, which is sent next."""
    if execution.is_terminal or execution.cancel_requested_at is not None or execution.status == UNCONFIRMED:
        return None
    columns = {
        "cancel_requested_at": observation.at,
        "cancel_requested_by_id": observation.actor_id,
        "cancel_reason": observation.reason,
    }
    detail = {"reason": observation.reason} if observation.reason else {}
    if execution.status == QUEUED and not execution.was_sent:
        # It was not sent yet, so VideoGen does not know it.
        change = _finish(CANCELLED, observation, execution)
        change.columns |= columns
        change.detail = detail
        return change
    if execution.remote_id is not None:
        columns |= {"next_attempt_at": observation.at, "attempts": 0}
    return Change(columns, Kind.CANCEL_REQUESTED, detail)


def cancel_accepted(observation: observations.CancelAccepted, execution: Execution) -> Change | None:
    """Store that VideoGen accepted the request. The job ends when VideoGen reports so."""
    if (
        execution.is_terminal
        or execution.cancel_accepted_at is not None
        or execution.cancel_requested_at is None
    ):
        return None
    columns = {"cancel_accepted_at": observation.at, "next_attempt_at": observation.at, "attempts": 0}
    return Change(columns, Kind.CANCEL_NOTED)


def pause_requested(observation: observations.PauseRequested, execution: Execution) -> Change | None:
    """Pause a job that was not sent yet."""
    if not execution.is_to_send or execution.paused_at is not None:
        return None
    return Change({"paused_at": observation.at}, Kind.PAUSED)


def resume_requested(observation: observations.ResumeRequested, execution: Execution) -> Change | None:
    """Let a paused job be sent again."""
    if not execution.is_to_send or execution.paused_at is None:
        return None
    return Change({"paused_at": None}, Kind.RESUMED)


def prioritise_requested(
    observation: observations.PrioritiseRequested, execution: Execution
) -> Change | None:
    """Move a job that was not sent yet to the front of the queue; a second request moves it again."""
    if not execution.is_to_send:
        return None
    return Change({"prioritised_at": observation.at}, Kind.MOVED_TO_FRONT)


def edited(observation: observations.Edited, execution: Execution) -> Change | None:
    """Replace the request and the inputs of a job that was not sent, waits for no other, and was not edited meanwhile."""
    if (
        not execution.is_to_send
        or execution.after_id is not None
        or execution.request_body != observation.before
    ):
        return None
    if observation.body == observation.before:
        return None
    columns = {
        "request_body": observation.body,
        "prompt": observation.title,
        "fingerprint": observation.fingerprint,
    }
    detail = {"before": observation.before, "after": observation.body}
    return Change(columns, Kind.EDITED, detail, then=partial(_replace_inputs, inputs=observation.inputs))


def _replace_inputs(execution: Execution, inputs: Sequence[Input]) -> None:
    execution.inputs.all().delete()
    for entry in inputs:
        entry.execution = execution
    Input.objects.bulk_create(inputs)


def _finish(
    status: str,
    observation: observations.Observation,
    execution: Execution,
    error: dict[str, Any] | None = None,
) -> Change:
    ended_at = _not_in_future(observation.at)
    columns = {
        "status": status,
        "error": error if status == FAILED else None,
        "error_code": error_code(error) if status == FAILED else None,
        "ended_at": ended_at,
        "duration": max(0.0, (ended_at - execution.created_at).total_seconds()),
        "note": "",
        "next_attempt_at": None,
        "leased_until": None,
        "last_reported_at": timezone.now(),
    }
    return Change(columns, Kind.STATUS)


def _not_in_future(at: datetime) -> datetime:
    """Limit `at` to now: a time in the future comes from a wrong clock, and our own is the best estimate."""
    return min(at, timezone.now())


TRANSITIONS: dict[type[observations.Observation], Callable[[Any, Execution], Change | None]] = {
    observations.SubmissionStarted: submission_started,
    observations.SubmissionDeferred: submission_deferred,
    observations.SubmissionRejected: submission_rejected,
    observations.SubmissionUnconfirmed: submission_unconfirmed,
    observations.Accepted: accepted,
    observations.StatusReported: status_reported,
    observations.CancelRequested: cancel_requested,
    observations.CancelAccepted: cancel_accepted,
    observations.PauseRequested: pause_requested,
    observations.ResumeRequested: resume_requested,
    observations.PrioritiseRequested: prioritise_requested,
    observations.Edited: edited,
}


def decide(observation: observations.Observation, execution: Execution) -> Change | None:
    """Return the change that the observation makes to the job as read, or None when it makes none."""
    try:
        transition = TRANSITIONS[type(observation)]
    except KeyError:
        raise TypeError(f"not an observation: {observation!r}") from None
    return transition(observation, execution)
