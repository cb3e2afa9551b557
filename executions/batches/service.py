"""Many jobs at once: planned, confirmed, undone within a few seconds, cancelled, and run again.

A person never acts on "whatever is there by then": a plan keeps its rows and a cancel keeps its ids from the
moment they are shown, and doing either twice does it once.
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

from executions import policy, statuses
from executions.audit import record as audit_log
from executions.batches import insert as batch_insert
from executions.batches.rows import Row, of_jobs, of_plan, titled
from executions.core import chunked
from executions.lifecycle import cancel as canceling
from executions.lifecycle import create
from executions.models import Batch, BatchCancel, BatchPlan, Execution
from executions.models.event import ActKind
from executions.policy import Action, Actor
from executions.tools import Tool, find

MOST_ROWS = 500
# How long a batch can be undone before its first request goes out.
HOLD = timedelta(seconds=8)
# A plan that nobody confirmed is forgotten after this.
KEPT = timedelta(days=1)


class TooLate(Exception):
    """The first requests may have left; the message says so."""


# --- from rows to jobs ------------------------------------------------------------------------------------


def plan(tool: Tool, rows: Sequence[Row], *, name: str, actor: Actor) -> BatchPlan:
    """Keep checked rows until the person confirms them. Their old plans that led to nothing are forgotten."""
    user_id = policy.require_person(actor, Action.BATCH_PLAN)
    if not 0 < len(rows) <= MOST_ROWS:
        raise ValueError(f"A batch has between 1 and {MOST_ROWS} rows, not {len(rows)}.")
    for row in rows:
        create.require_validated(row.body)
    long_ago = timezone.now() - KEPT
    BatchPlan.objects.filter(created_by_id=user_id, batch=None, created_at__lt=long_ago).delete()
    kept = [row.to_json() for row in titled(tool, rows)]
    return BatchPlan.objects.create(name=name[:200], tool=tool.slug, created_by_id=user_id, rows=kept)


def confirm(plan_id: uuid.UUID, *, actor: Actor, only_new: bool = False) -> tuple[Batch, bool]:
    """Start what the plan holds; `only_new` leaves out what was made before. False when it was started before.

    Raises ValueError when nothing would be left.
    """
    policy.require(actor, Action.BATCH_START, BatchPlan.objects.get(pk=plan_id))
    with transaction.atomic():
        # The row alone: what is joined to a locked row may be older than the row itself.
        found = BatchPlan.objects.select_for_update().get(pk=plan_id)
        if found.batch_id is not None:
            return Batch.objects.get(pk=found.batch_id), False
        rows = [row for row in of_plan(found) if not (only_new and row.made)]
        if not rows:
            raise ValueError("All of these were made before: nothing is left to start.")
        now = timezone.now()
        batch = Batch.objects.create(
            name=found.name,
            tool=found.tool,
            created_by_id=found.created_by_id,
            created_at=now,
            size=batch_insert.size(rows),
            idempotency_key=f"plan.{found.pk}",
            sends_at=now + HOLD,
        )
        batch_insert.insert(batch, rows)
        _record(ActKind.BATCH_STARTED, batch, found.created_by_id, jobs=batch.size, tool=batch.tool)
        found.batch = batch
        found.rows = []  # the jobs hold them now
        found.save(update_fields=["batch", "rows"])
        return batch, True


def plan_again(batch: Batch, status: str, *, actor: Actor) -> BatchPlan | None:
    """A plan with what the batch's jobs in this status (failed or cancelled) asked for; None when there are none."""
    jobs = batch.executions.filter(status=status).select_related("after").order_by("id")
    # What was only spoken for another job is spoken again with that one.
    retried = [job for job in jobs if job.tool == batch.tool]
    if not retried:
        return None
    name = batch.name if batch.name.endswith("(again)") else f"{batch.name[:190]} (again)"
    return plan(find(batch.tool), of_jobs(retried)[:MOST_ROWS], name=name, actor=actor)


def plan_jobs(tool: Tool, jobs: Sequence[Execution], *, name: str, actor: Actor) -> BatchPlan:
    """A plan with what these jobs of one tool asked for, and no others. They carry `after`."""
    return plan(tool, of_jobs(jobs)[:MOST_ROWS], name=name, actor=actor)


def discard(found: BatchPlan, *, actor: Actor) -> None:
    """Forget a plan that is not to be started."""
    policy.require(actor, Action.BATCH_DISCARD, found)
    found.delete()


# --- stopping ---------------------------------------------------------------------------------------------


def undo(batch: Batch, *, actor: Actor) -> int:
    """Take the whole batch back while nothing of it has been sent; how many jobs that stopped.

    Raises TooLate. Undoing it again finishes what a crash may have left.
    """
    user_id = policy.require(actor, Action.BATCH_UNDO, batch)
    with transaction.atomic():
        now = timezone.now()
        held = Batch.objects.filter(pk=batch.pk, undone_at=None, sends_at__gt=now).update(undone_at=now)
        if not held:
            batch.refresh_from_db()
            if batch.undone_at is None:
                raise TooLate(
                    "Too late to undo: the first requests have gone out. Cancel what is left instead."
                )
        if held:
            _record(ActKind.BATCH_UNDONE, batch, user_id, jobs=batch.size)
        # From here on no worker takes them, however long the rest takes.
        batch.executions.filter(ended_at=None, sent_at=None).update(next_attempt_at=None)
    stopped = 0
    for chunk in chunked.chunks(batch.executions.filter(ended_at=None).values_list("pk", flat=True)):
        with transaction.atomic():
            stopped += sum(word != ENDED for word in _cancel_each(chunk, actor).values())
    return stopped


def plan_cancel(batch: Batch, *, actor: Actor) -> BatchCancel | None:
    """Name the jobs that a cancel of the batch would stop now; None when all have ended."""
    user_id = policy.require_person(actor, Action.BATCH_CANCEL, batch)
    running = batch.executions.filter(ended_at=None).order_by("id").values_list("pk", flat=True)
    ids = [str(pk) for pk in running]
    return BatchCancel.objects.create(batch=batch, created_by_id=user_id, ids=ids) if ids else None


def cancel(wish: BatchCancel, *, actor: Actor) -> BatchCancel:
    """Do it, once: those jobs and no others, skipping what ended meanwhile. The report is kept with the wish.

    Called again after a break it goes on with what is left.
    """
    user_id = policy.require(actor, Action.BATCH_CANCEL, wish.batch)
    now = timezone.now()
    with transaction.atomic():
        is_first = BatchCancel.objects.filter(pk=wish.pk, done_at=None).update(done_at=now)
        if is_first:
            _record(ActKind.BATCH_CANCELLED, wish.batch, user_id, jobs=len(wish.ids))
    chunked.resume(BatchCancel.objects.filter(pk=wish.pk), lambda _, ids: _cancel_each(ids, actor))
    wish.refresh_from_db()
    return wish


def _record(kind: ActKind, batch: Batch, user_id: int | None, **detail: Any) -> None:
    audit_log.record(kind, actor_id=user_id, subject=batch, name=batch.name, **detail)


STOPPED, ASKED, ENDED = "stopped", "asked", "ended"
ASKED_BEFORE, UNSURE, GONE = "asked before", "unsure", "gone"


def _cancel_each(ids: Sequence[uuid.UUID], actor: Actor) -> dict[str, str]:
    """What became of each, by its id, in that order. Part of an outer transaction."""
    jobs = Execution.objects.in_bulk(ids)
    # A list, in order: a set would take them as they come.
    wished = [pk for pk in ids if pk in jobs and canceling.request(jobs[pk], actor=actor)]
    now = Execution.objects.in_bulk(ids)
    return {str(pk): _word(now[pk], pk in wished) if pk in now else GONE for pk in ids}


def _word(job: Execution, wished: bool) -> str:
    if wished:
        return STOPPED if job.is_terminal else ASKED
    if job.is_terminal:
        return ENDED
    return UNSURE if job.status == statuses.UNCONFIRMED else ASKED_BEFORE


# --- how it stands ----------------------------------------------------------------------------------------


def counts(batch_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Counter[str]]:
    """How many jobs of each batch have which status, in one query."""
    found: dict[uuid.UUID, Counter[str]] = defaultdict(Counter)
    rows = Execution.objects.filter(batch__in=list(batch_ids)).order_by()
    for batch_id, status, count in rows.values_list("batch", "status").annotate(Count("id")):
        found[batch_id][status] = count
    return found


def in_flight(limit: int) -> list[Batch]:
    """The newest batches of which something has not ended."""
    waiting = Execution.objects.in_flight().filter(batch__isnull=False).order_by()
    ids: Collection[uuid.UUID] = waiting.values_list("batch", flat=True).distinct()
    return list(Batch.objects.filter(pk__in=ids).select_related("created_by").order_by("-id")[:limit])
