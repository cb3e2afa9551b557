"""Bulk actions on selected jobs. The selection is frozen when it is shown, run once, and reports the outcome per job."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.utils import timezone

from executions import policy, statuses, tools
from executions.core import chunked
from executions.files import actions as file_actions
from executions.lifecycle import cancel as canceling
from executions.lifecycle import create
from executions.models import Execution, Selection
from executions.models.selection import Act
from executions.policy import Action, Actor

MAX_SELECTED = 500
# Outcomes of a job, as stored in the report.
CANCELLED, CANCEL_REQUESTED, ALREADY_FINISHED = "stopped", "asked", "ended"
ALREADY_REQUESTED, UNCONFIRMED = "asked before", "unsure"
RERUN, CANNOT_RERUN, ARCHIVED, NOTHING_TO_ARCHIVE = "started", "cannot start", "archived", "nothing"
NOT_ALLOWED, NOT_FOUND = "not yours", "gone"


def is_allowed(act: Act, actor: Actor, job: Execution) -> bool:
    """Whether the actor may do this to the job in its current state."""
    if act is Act.RERUN:
        if job.status == statuses.UNCONFIRMED:
            return policy.can(actor, Action.JOB_RESTART_UNCONFIRMED, job)
        is_local = job.origin != Execution.Origin.EXTERNAL
        can_rerun = job.status in statuses.TERMINAL and job.tool in tools.available() and is_local
        return can_rerun and policy.can(actor, Action.JOB_RESTART, job)
    required = {
        Act.CANCEL: Action.JOB_CANCEL,
        Act.ARCHIVE: Action.JOB_ARCHIVE_RESULTS,
        Act.DOWNLOAD: Action.FILE_DOWNLOAD,
    }
    return policy.can(actor, required[act], job)


def create_selection(ids: Sequence[uuid.UUID], act: Act, *, actor: Actor) -> Selection | None:
    """Store these jobs, at most MAX_SELECTED, in this order; None if none of them exists."""
    user_id = policy.require_person(actor, Action.SELECTION_MAKE)
    known = set(Execution.objects.filter(pk__in=ids[:MAX_SELECTED]).values_list("pk", flat=True))
    selected = [str(pk) for pk in dict.fromkeys(ids) if pk in known]
    return Selection.objects.create(act=act, created_by_id=user_id, ids=selected) if selected else None


def run(selection: Selection, *, actor: Actor, reason: str = "") -> Selection:
    """Run the action once on the jobs for which the actor has permission. The selection stores the report.

    Calling it again after an interruption continues with the remaining jobs, with the original reason.
    """
    policy.require(actor, Action.SELECTION_RUN, selection)
    rows = Selection.objects.filter(pk=selection.pk)
    rows.filter(done_at=None).update(done_at=timezone.now(), reason=reason[:200])
    act = ACTS[Act(selection.act)]

    def run_chunk(row: Selection, ids: Sequence[uuid.UUID]) -> dict[str, str]:
        jobs = Execution.objects.in_bulk(ids)
        return {str(pk): act(jobs[pk], row, actor, row.reason) if pk in jobs else NOT_FOUND for pk in ids}

    chunked.resume(rows, run_chunk)
    selection.refresh_from_db()
    return selection


def _cancel(job: Execution, selection: Selection, actor: Actor, reason: str) -> str:
    if job.is_terminal:
        return ALREADY_FINISHED
    if not is_allowed(Act.CANCEL, actor, job):
        return NOT_ALLOWED
    is_requested = canceling.request(job, actor=actor, reason=reason)
    job.refresh_from_db()
    return cancel_outcome(job, is_requested)


def cancel_outcome(job: Execution, is_requested: bool) -> str:
    """The outcome of cancelling a job, read afterwards. `is_requested`: this call has requested it."""
    if is_requested:
        return CANCELLED if job.is_terminal else CANCEL_REQUESTED
    if job.is_terminal:
        return ALREADY_FINISHED
    return UNCONFIRMED if job.status == statuses.UNCONFIRMED else ALREADY_REQUESTED


def _rerun(job: Execution, selection: Selection, actor: Actor, reason: str) -> str:
    if not is_allowed(Act.RERUN, actor, job):
        return CANNOT_RERUN
    create.rerun(job, actor=actor, key=str(selection.pk))
    return RERUN


def _archive(job: Execution, selection: Selection, actor: Actor, reason: str) -> str:
    files = [result.file for result in job.results.select_related("file") if result.file.archived_at is None]
    if not files:
        return NOTHING_TO_ARCHIVE
    if not is_allowed(Act.ARCHIVE, actor, job):
        return NOT_ALLOWED
    for file in files:
        file_actions.archive(file, actor, reason=reason, result_of=job)
    return ARCHIVED


ACTS = {Act.CANCEL: _cancel, Act.RERUN: _rerun, Act.ARCHIVE: _archive}
