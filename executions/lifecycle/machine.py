"""THE status machine: the only place that writes a job's status.

`apply` takes an observation, decides by the table below what it changes, and writes the change by one
UPDATE that holds only if nobody else wrote in between, together with one event. It may be called with
anything, in any order, any number of times, from any number of processes: a terminal status never changes,
what is already known changes nothing, and what comes too late is ignored.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial, singledispatch
from typing import Any

from django.db import transaction
from django.utils import timezone

from executions.files.store import keep_results
from executions.lifecycle import observations as seen
from executions.lifecycle.errors import code_of
from executions.models import Event, Execution
from executions.models.event import Kind, Source
from executions.signals import execution_changed
from executions.statuses import CANCELLED, FAILED, PENDING, QUEUED, RUNNING, SUCCEEDED, TERMINAL, UNCONFIRMED

# A status of VideoGen's that we do not know counts as not final (CONTRACT section 3).
ANYTHING_NOT_FINAL = "*"

# What may follow what. A status that is not a key is one that we do not know: it follows the last line.
FOLLOWERS: dict[str, frozenset[str]] = {
    QUEUED: frozenset({PENDING, UNCONFIRMED, FAILED, CANCELLED}),
    UNCONFIRMED: frozenset({PENDING}),
    PENDING: frozenset({RUNNING, ANYTHING_NOT_FINAL, SUCCEEDED, FAILED, CANCELLED}),
    RUNNING: frozenset({ANYTHING_NOT_FINAL, SUCCEEDED, FAILED, CANCELLED}),
    SUCCEEDED: frozenset(),
    FAILED: frozenset(),
    CANCELLED: frozenset(),
    ANYTHING_NOT_FINAL: frozenset({RUNNING, ANYTHING_NOT_FINAL, SUCCEEDED, FAILED, CANCELLED}),
}
assert all(not FOLLOWERS[status] for status in TERMINAL), "a terminal status has no follower"

FIRST_LOOK = timedelta(seconds=1)
MOMENT = timedelta(0)


def may_follow(before: str, after: str) -> bool:
    followers = FOLLOWERS.get(before, FOLLOWERS[ANYTHING_NOT_FINAL])
    return after in followers or (after not in FOLLOWERS and ANYTHING_NOT_FINAL in followers)


@dataclass
class Change:
    """What an observation does to a job: columns to write, and the event that tells it (None: not worth one)."""

    columns: dict[str, Any]
    kind: Kind | None = None
    detail: dict[str, Any] = field(default_factory=dict)
    then: Callable[[Execution], None] | None = None


def start(execution: Execution, *, actor_id: int | None, **detail: Any) -> Execution:
    """Write a new job, `queued`, and the event that it began with. It is sent by executions.lifecycle.create."""
    start_all([execution], actor_id=actor_id, details={execution.pk: detail})
    return execution


def start_all(
    jobs: Sequence[Execution],
    *,
    actor_id: int | None,
    source: Source = Source.PERSON,
    details: Mapping[uuid.UUID, dict[str, Any]] | None = None,
) -> None:
    """The same for many, in as few statements as the database takes. A job may wait for one before it.

    `details` is what else is worth knowing about how a job began, by its id.
    """
    told = details or {}
    began = {
        "kind": Kind.STARTED,
        "to_status": QUEUED,
        "source": source,
        "actor_id": actor_id,
    }
    for job in jobs:
        job.status = QUEUED
    with transaction.atomic():
        Execution.objects.bulk_create(jobs)
        Event.objects.bulk_create(
            Event(execution=job, occurred_at=job.created_at, detail=told.get(job.pk, {}), **began)
            for job in jobs
        )
        for job in jobs:
            tell(job, before="", after=QUEUED)


def take_over(execution: Execution) -> None:
    """Write a job that was started elsewhere, `pending` until VideoGen tells more, and the event that we met it."""
    execution.status = PENDING
    with transaction.atomic():
        execution.save(force_insert=True)
        Event.objects.create(
            execution=execution,
            kind=Kind.STARTED,
            to_status=PENDING,
            source=Source.SYSTEM,
            occurred_at=execution.created_at,
            detail={"origin": execution.origin, "remote_id": execution.remote_id},
        )
        tell(execution, before="", after=PENDING)


def apply(execution_id: uuid.UUID, observation: seen.Observation, *, row: Execution | None = None) -> bool:
    """Let a job know what was observed. True when that changed it.

    `row` is the job, if it was just read: that spares a query, and an old one is found out. Raises
    Execution.DoesNotExist. Inside an outer transaction it becomes a part of that: what fails here fails there.
    """
    while True:
        with transaction.atomic(savepoint=False):
            execution = row or Execution.objects.get(pk=execution_id)
            row = None
            change = decide(observation, execution)
            if change is None:
                return False
            guard = Execution.objects.filter(pk=execution_id, version=execution.version)
            if not guard.update(**change.columns, version=execution.version + 1):
                continue  # somebody else was faster: what they wrote decides what this still means
            before = execution.status
            after = change.columns.get("status", before)
            if change.kind is not None:
                Event.objects.create(
                    execution=execution,
                    kind=change.kind,
                    from_status=before,
                    to_status=after,
                    source=observation.source,
                    actor_id=observation.actor_id,
                    delivery_id=observation.delivery_id,
                    occurred_at=observation.at,
                    detail=change.detail,
                )
            if change.then is not None:
                change.then(execution)
            tell(execution, before=before, after=after)
            return True


def tell(execution: Execution, *, before: str | None = None, after: str | None = None) -> None:
    """Say to the rest of the house that a job changed, once that is true for everybody."""
    transaction.on_commit(
        partial(
            execution_changed.send,
            sender=Execution,
            execution_id=execution.pk,
            created=before == "",
            from_status=execution.status if before is None else before,
            to_status=execution.status if after is None else after,
            owner_id=execution.created_by_id,
            batch_id=execution.batch_id,
        )
    )


@singledispatch
def decide(observation: seen.Observation, execution: Execution) -> Change | None:
    """What the observation changes in the job as it stands; None when nothing. A pure function."""
    raise TypeError(f"not an observation: {observation!r}")


@decide.register
def _(observation: seen.Sending, execution: Execution) -> Change | None:
    if not execution.is_to_send or execution.paused_at is not None:
        return None
    if observation.made_from is not None and observation.made_from != execution.request_body:
        # Somebody changed what is asked for while this was made ready.
        return None
    columns: dict[str, Any] = {"sent_at": observation.at, "note": ""}
    if observation.body is not None and observation.body != execution.request_body:
        columns["request_body"] = observation.body
    return Change(columns, Kind.SENT)


@decide.register
def _(observation: seen.NotAccepted, execution: Execution) -> Change | None:
    if execution.status != QUEUED or not execution.was_sent:
        return None
    if execution.cancel_requested_at is not None:
        # Nothing was started, so the wish to cancel is fulfilled.
        return _end(CANCELLED, observation, execution)
    columns = {
        "sent_at": None,
        "note": observation.reason,
        "next_attempt_at": observation.next_attempt_at,
        "attempts": execution.attempts + 1,
        "leased_until": None,
    }
    return Change(columns, Kind.POSTPONED, {"reason": observation.reason, **observation.detail})


@decide.register
def _(observation: seen.Refused, execution: Execution) -> Change | None:
    if execution.status != QUEUED:
        return None
    change = _end(FAILED, observation, execution, error=observation.error)
    change.columns["start_answer"] = observation.answer
    return change


@decide.register
def _(observation: seen.AnswerLost, execution: Execution) -> Change | None:
    if execution.status != QUEUED or not execution.was_sent:
        return None
    # It is never sent again by itself: it may be running, and billed.
    columns = {"status": UNCONFIRMED, "note": "", "next_attempt_at": None, "leased_until": None}
    return Change(columns, Kind.STATUS, {"reason": observation.reason})


@decide.register
def _(observation: seen.Accepted, execution: Execution) -> Change | None:
    if execution.remote_id is not None or not may_follow(execution.status, PENDING):
        return None
    wants_cancel = execution.cancel_requested_at is not None
    columns = {
        "status": PENDING,
        "remote_id": observation.remote_id,
        "accepted_at": observation.at,
        "last_heard_at": observation.at,
        "next_attempt_at": observation.at + (MOMENT if wants_cancel else FIRST_LOOK),
        "note": "",
        "attempts": 0,
        "leased_until": None,
        "start_answer": observation.answer,
    }
    return Change(columns, Kind.STATUS, {"remote_id": observation.remote_id})


@decide.register
def _(observation: seen.Reported, execution: Execution) -> Change | None:
    if execution.is_terminal or execution.remote_id is None:
        return None
    if observation.status in TERMINAL:
        change = _end(observation.status, observation, execution, error=observation.error)
        change.columns["last_answer"] = observation.answer
        if observation.status == SUCCEEDED:
            change.columns["progress"] = None if execution.progress is None else 100.0
        results = observation.results
        change.detail = {"results": len(results)} if results else {}
        change.then = lambda execution: keep_results(execution, results)
        return change
    return _moved_on(observation, execution)


def _moved_on(observation: seen.Reported, execution: Execution) -> Change | None:
    """A status that is not final: it counts only if it is further on than what we know.

    Answers can overtake each other, so the order is that of attempt, status and progress, not of clocks.
    """
    known_attempt = execution.attempt or 0
    attempt = known_attempt if observation.attempt is None else observation.attempt
    if attempt < known_attempt:
        return None
    new_attempt = attempt > known_attempt
    # VideoGen's own retry may begin with waiting again.
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
    if columns.get("progress", execution.progress) == execution.progress:
        columns.pop("progress", None)
    if not columns:
        return None
    kind = Kind.STATUS if "status" in columns else Kind.ATTEMPT if new_attempt else None
    columns |= {"last_heard_at": observation.at, "last_answer": observation.answer}
    return Change(columns, kind, {"attempt": attempt} if new_attempt else {})


@decide.register
def _(observation: seen.CancelWished, execution: Execution) -> Change | None:
    if execution.is_terminal or execution.cancel_requested_at is not None or execution.status == UNCONFIRMED:
        return None
    columns = {
        "cancel_requested_at": observation.at,
        "cancel_requested_by_id": observation.actor_id,
        "cancel_reason": observation.reason,
    }
    detail = {"reason": observation.reason} if observation.reason else {}
    if execution.status == QUEUED and not execution.was_sent:
        # It is still ours alone: VideoGen never hears of it.
        change = _end(CANCELLED, observation, execution)
        change.columns |= columns
        change.detail = detail
        return change
    if execution.remote_id is not None:
        columns |= {"next_attempt_at": observation.at, "attempts": 0}
    return Change(columns, Kind.CANCEL_REQUESTED, detail)


@decide.register
def _(observation: seen.CancelNoted, execution: Execution) -> Change | None:
    if (
        execution.is_terminal
        or execution.cancel_noted_at is not None
        or execution.cancel_requested_at is None
    ):
        return None
    columns = {"cancel_noted_at": observation.at, "next_attempt_at": observation.at, "attempts": 0}
    return Change(columns, Kind.CANCEL_NOTED)


def _end(
    status: str,
    observation: seen.Observation,
    execution: Execution,
    error: dict[str, Any] | None = None,
) -> Change:
    ended_at = _believable(observation.at)
    columns = {
        "status": status,
        "error": error if status == FAILED else None,
        "error_code": code_of(error) if status == FAILED else None,
        "ended_at": ended_at,
        "duration": max(0.0, (ended_at - execution.created_at).total_seconds()),
        "note": "",
        "next_attempt_at": None,
        "leased_until": None,
        "last_heard_at": timezone.now(),
    }
    return Change(columns, Kind.STATUS)


def _believable(at: datetime) -> datetime:
    """An end in the future is another clock's mistake; our own is as near as we can know."""
    return min(at, timezone.now())
