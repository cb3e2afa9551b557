"""Batches: plan, confirm, undo within a few seconds, cancel, and run again.

A person acts on exactly what the page showed: a plan stores its rows and a cancel request its job ids before they are
shown. Confirming either of them twice has no further effect.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count
from django.utils import timezone

from executions import policy
from executions.audit import record as audit_log
from executions.batches import insert as batch_insert
from executions.batches.bulk_actions import ALREADY_FINISHED, NOT_FOUND, cancel_outcome
from executions.batches.rows import Row, plan_rows, rerun_rows, with_titles
from executions.core import chunked
from executions.lifecycle import cancel as canceling
from executions.lifecycle import create
from executions.models import Batch, BatchCancel, BatchPlan, Execution, Result
from executions.models.event import ActKind
from executions.policy import Action, Actor
from executions.statuses import CANCELLED, FAILED
from executions.tools import Tool, find

MAX_ROWS = 500
# Time for undoing a batch before its first request is sent.
UNDO_WINDOW = timedelta(seconds=8)
# Plans that were not confirmed are deleted after this time.
PLAN_TTL = timedelta(days=1)


class TooLate(Exception):
    """The first requests may have been sent; the message says so."""


# --- from rows to jobs ------------------------------------------------------------------------------------


def plan(tool: Tool, rows: Sequence[Row], *, name: str, actor: Actor) -> BatchPlan:
    """Store validated rows until the person confirms them. Deletes the person's old unconfirmed plans.

    Raises ValueError for a wrong number of rows.
    """
    user_id = policy.require_person(actor, Action.BATCH_PLAN)
    if not 0 < len(rows) <= MAX_ROWS:
        raise ValueError(f"A batch has between 1 and {MAX_ROWS} rows, not {len(rows)}.")
    for row in rows:
        create.require_validated(row.body)
    cutoff = timezone.now() - PLAN_TTL
    BatchPlan.objects.filter(created_by_id=user_id, batch=None, created_at__lt=cutoff).delete()
    stored = [row.to_json() for row in with_titles(tool, rows)]
    return BatchPlan.objects.create(name=name[:200], tool=tool.slug, created_by_id=user_id, rows=stored)


def confirm(plan_id: uuid.UUID, *, actor: Actor, only_new: bool = False) -> tuple[Batch, bool]:
    """Start the plan's jobs, and return the batch and whether it is new; False if the plan was confirmed before.

    `only_new` skips rows with an earlier job that has the same request. Raises ValueError if no row is left.
    """
    policy.require(actor, Action.BATCH_START, BatchPlan.objects.get(pk=plan_id))
    with transaction.atomic():
        # Without a join: the joined row may be older than the locked row.
        found = BatchPlan.objects.select_for_update().get(pk=plan_id)
        if found.batch_id is not None:
            return Batch.objects.get(pk=found.batch_id), False
        rows = [row for row in plan_rows(found) if not (only_new and row.duplicate_of)]
        if not rows:
            raise ValueError("All of these jobs were run before. There is nothing left to start.")
        now = timezone.now()
        batch = Batch.objects.create(
            name=found.name,
            tool=found.tool,
            created_by_id=found.created_by_id,
            created_at=now,
            size=batch_insert.job_count(rows),
            idempotency_key=f"plan.{found.pk}",
            sends_at=now + UNDO_WINDOW,
        )
        batch_insert.insert(batch, rows)
        _record(ActKind.BATCH_STARTED, batch, found.created_by_id, jobs=batch.size, tool=batch.tool)
        found.batch = batch
        found.rows = []  # stored in the jobs now
        found.save(update_fields=["batch", "rows"])
        return batch, True


def plan_rerun(batch: Batch, status: str, *, actor: Actor) -> BatchPlan | None:
    """A plan that repeats the batch's jobs in this status (failed or cancelled); None if there are none."""
    jobs = batch.executions.filter(status=status).select_related("after").order_by("id")
    # A speech that another job needs is repeated with that job.
    repeated = [job for job in jobs if job.tool == batch.tool]
    if not repeated:
        return None
    name = batch.name if batch.name.endswith("(again)") else f"{batch.name[:190]} (again)"
    return plan(find(batch.tool), rerun_rows(repeated)[:MAX_ROWS], name=name, actor=actor)


def plan_jobs(tool: Tool, jobs: Sequence[Execution], *, name: str, actor: Actor) -> BatchPlan:
    """A plan that repeats these jobs of one tool. Load the jobs with select_related("after")."""
    return plan(tool, rerun_rows(jobs)[:MAX_ROWS], name=name, actor=actor)


def unsuccessful_jobs(ids: Collection[uuid.UUID], person_id: int) -> list[Execution]:
    """The person's own failed or cancelled jobs among these, in the order of their start, for `plan_jobs`."""
    own = Execution.objects.filter(pk__in=ids, created_by_id=person_id, status__in=[FAILED, CANCELLED])
    return list(own.select_related("after").order_by("id"))


def discard(found: BatchPlan, *, actor: Actor) -> None:
    """Delete a plan that will not be started."""
    policy.require(actor, Action.BATCH_DISCARD, found)
    found.delete()


# --- stopping ---------------------------------------------------------------------------------------------


def undo(batch: Batch, *, actor: Actor) -> int:
    """Cancel the whole batch before anything is sent, and return the number of cancelled jobs.

    Raises TooLate. Calling it again completes an undo that was interrupted.
    """
    user_id = policy.require(actor, Action.BATCH_UNDO, batch)
    with transaction.atomic():
        now = timezone.now()
        is_undone = Batch.objects.filter(pk=batch.pk, undone_at=None, sends_at__gt=now).update(undone_at=now)
        if not is_undone:
            batch.refresh_from_db()
            if batch.undone_at is None:
                raise TooLate(
                    "Too late to undo: the first requests have been sent. Cancel the remaining jobs instead."
                )
        if is_undone:
            _record(ActKind.BATCH_UNDONE, batch, user_id, jobs=batch.size)
        # From now on no worker sends them, however long the cancelling takes.
        batch.executions.filter(ended_at=None, sent_at=None).update(next_attempt_at=None)
    cancelled = 0
    for chunk in chunked.chunks(batch.executions.filter(ended_at=None).values_list("pk", flat=True)):
        with transaction.atomic():
            outcomes = _cancel_each(chunk, actor).values()
            cancelled += sum(outcome != ALREADY_FINISHED for outcome in outcomes)
    return cancelled


def plan_cancel(batch: Batch, *, actor: Actor) -> BatchCancel | None:
    """Store the batch's unfinished jobs as a cancel request to confirm; None if all have finished."""
    user_id = policy.require_person(actor, Action.BATCH_CANCEL, batch)
    running = batch.executions.filter(ended_at=None).order_by("id").values_list("pk", flat=True)
    ids = [str(pk) for pk in running]
    return BatchCancel.objects.create(batch=batch, created_by_id=user_id, ids=ids) if ids else None


def cancel(request: BatchCancel, *, actor: Actor) -> BatchCancel:
    """Cancel exactly the jobs of the request, once, skipping those that have finished meanwhile.

    The request stores the report. Calling it again after an interruption continues with the remaining jobs.
    """
    user_id = policy.require(actor, Action.BATCH_CANCEL, request.batch)
    now = timezone.now()
    with transaction.atomic():
        is_first = BatchCancel.objects.filter(pk=request.pk, done_at=None).update(done_at=now)
        if is_first:
            _record(ActKind.BATCH_CANCELLED, request.batch, user_id, jobs=len(request.ids))
    chunked.resume(BatchCancel.objects.filter(pk=request.pk), lambda _, ids: _cancel_each(ids, actor))
    request.refresh_from_db()
    return request


def _record(kind: ActKind, batch: Batch, user_id: int | None, **detail: Any) -> None:
    audit_log.record(kind, actor_id=user_id, subject=batch, name=batch.name, **detail)


def _cancel_each(ids: Sequence[uuid.UUID], actor: Actor) -> dict[str, str]:
    """The outcome for each job, by its id, in that order. Part of an outer transaction."""
    jobs = Execution.objects.in_bulk(ids)
    # The requests are made in the order of `ids`, so that a chained job is cancelled before its speech.
    requested = [pk for pk in ids if pk in jobs and canceling.request(jobs[pk], actor=actor)]
    now = Execution.objects.in_bulk(ids)
    return {str(pk): cancel_outcome(now[pk], pk in requested) if pk in now else NOT_FOUND for pk in ids}


# --- progress ---------------------------------------------------------------------------------------------


def counts(batch_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Counter[str]]:
    """The number of jobs of each batch by status, in one query."""
    found: dict[uuid.UUID, Counter[str]] = defaultdict(Counter)
    rows = Execution.objects.filter(batch__in=list(batch_ids)).order_by()
    for batch_id, status, count in rows.values_list("batch", "status").annotate(Count("id")):
        found[batch_id][status] = count
    return found


def result_count(batch: Batch) -> int:
    """The number of results that the batch's jobs have made."""
    return Result.objects.filter(execution__batch=batch).count()


def in_flight(limit: int) -> list[Batch]:
    """The newest batches with unfinished jobs."""
    unfinished = Execution.objects.in_flight().filter(batch__isnull=False).order_by()
    ids: Collection[uuid.UUID] = unfinished.values_list("batch", flat=True).distinct()
    return list(Batch.objects.filter(pk__in=ids).select_related("created_by").order_by("-id")[:limit])
