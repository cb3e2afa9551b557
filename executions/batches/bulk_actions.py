"""One act on several jobs that a person chose: frozen when they are shown, done once, told one by one."""

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

MOST = 500
# What became of one: words of the report.
STOPPED, ASKED, ENDED, ASKED_BEFORE, UNSURE = "stopped", "asked", "ended", "asked before", "unsure"
STARTED, CANNOT_START, ARCHIVED, NOTHING = "started", "cannot start", "archived", "nothing"
NOT_YOURS, GONE = "not yours", "gone"


def may(act: Act, actor: Actor, job: Execution) -> bool:
    """Whether the actor may do that to a job, as it is at this moment."""
    if act is Act.RERUN:
        if job.status == statuses.UNCONFIRMED:
            return policy.can(actor, Action.JOB_RESTART_UNCONFIRMED, job)
        is_ours = job.origin != Execution.Origin.EXTERNAL
        is_over = job.status in statuses.TERMINAL and job.tool in tools.available() and is_ours
        return is_over and policy.can(actor, Action.JOB_RESTART, job)
    asked = {
        Act.CANCEL: Action.JOB_CANCEL,
        Act.ARCHIVE: Action.JOB_ARCHIVE_RESULTS,
        Act.DOWNLOAD: Action.FILE_TAKE,
    }
    return policy.can(actor, asked[act], job)


def choose(ids: Sequence[uuid.UUID], act: Act, *, actor: Actor) -> Selection | None:
    """Freeze these jobs, in this order; None when none of them is there. At most MOST are taken."""
    user_id = policy.require_person(actor, Action.SELECTION_MAKE)
    known = set(Execution.objects.filter(pk__in=ids[:MOST]).values_list("pk", flat=True))
    kept = [str(pk) for pk in dict.fromkeys(ids) if pk in known]
    return Selection.objects.create(act=act, created_by_id=user_id, ids=kept) if kept else None


def carry_out(selection: Selection, *, actor: Actor, reason: str = "") -> Selection:
    """Do it, once, to those jobs with which the actor may. The report is kept with the selection.

    Called again after a break it goes on with what is left, for the reason that was given first.
    """
    policy.require(actor, Action.SELECTION_RUN, selection)
    rows = Selection.objects.filter(pk=selection.pk)
    rows.filter(done_at=None).update(done_at=timezone.now(), reason=reason[:200])
    act = ACTS[Act(selection.act)]

    def piece(row: Selection, ids: Sequence[uuid.UUID]) -> dict[str, str]:
        jobs = Execution.objects.in_bulk(ids)
        return {str(pk): act(jobs[pk], row, actor, row.reason) if pk in jobs else GONE for pk in ids}

    chunked.resume(rows, piece)
    selection.refresh_from_db()
    return selection


def _cancel(job: Execution, selection: Selection, actor: Actor, reason: str) -> str:
    if job.is_terminal:
        return ENDED
    if not may(Act.CANCEL, actor, job):
        return NOT_YOURS
    if canceling.request(job, actor=actor, reason=reason):
        job.refresh_from_db()
        return STOPPED if job.is_terminal else ASKED
    job.refresh_from_db()
    if job.is_terminal:
        return ENDED
    return UNSURE if job.status == statuses.UNCONFIRMED else ASKED_BEFORE


def _again(job: Execution, selection: Selection, actor: Actor, reason: str) -> str:
    if not may(Act.RERUN, actor, job):
        return CANNOT_START
    create.start(
        tool=tools.find(job.tool),
        body=tools.already_validated(job.request_body),
        actor=actor,
        title=job.prompt,
        key=f"again.{job.pk}.{selection.pk}",
        rerun_of=job,
    )
    return STARTED


def _archive(job: Execution, selection: Selection, actor: Actor, reason: str) -> str:
    files = [result.file for result in job.results.select_related("file") if result.file.archived_at is None]
    if not files:
        return NOTHING
    if not may(Act.ARCHIVE, actor, job):
        return NOT_YOURS
    for file in files:
        file_actions.archive(file, actor, reason=reason, result_of=job)
    return ARCHIVED


ACTS = {Act.CANCEL: _cancel, Act.RERUN: _again, Act.ARCHIVE: _archive}
