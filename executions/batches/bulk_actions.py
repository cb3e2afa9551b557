"""One act on several jobs that a person chose: frozen when they are shown, done once, told one by one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from django.utils import timezone

from executions import statuses, tools
from executions.core import chunked
from executions.files import actions as file_actions
from executions.lifecycle import cancel as canceling
from executions.lifecycle import create as submit
from executions.models import Execution, Selection
from executions.models.selection import Act

MOST = 500
# What became of one: words of the report.
STOPPED, ASKED, ENDED, ASKED_BEFORE, UNSURE = "stopped", "asked", "ended", "asked before", "unsure"
STARTED, CANNOT_START, ARCHIVED, NOTHING = "started", "cannot start", "archived", "nothing"
NOT_YOURS, GONE = "not yours", "gone"

type May = Callable[[Execution], bool]


def choose(ids: Sequence[uuid.UUID], act: Act, *, user_id: int) -> Selection | None:
    """Freeze these jobs, in this order; None when none of them is there. At most MOST are taken."""
    known = set(Execution.objects.filter(pk__in=ids[:MOST]).values_list("pk", flat=True))
    kept = [str(pk) for pk in dict.fromkeys(ids) if pk in known]
    return Selection.objects.create(act=act, created_by_id=user_id, ids=kept) if kept else None


def carry_out(selection: Selection, *, user_id: int, may: May, reason: str = "") -> Selection:
    """Do it, once, to those jobs of which `may` says yes. The report is kept with the selection.

    Called again after a break it goes on with what is left, for the reason that was given first.
    """
    rows = Selection.objects.filter(pk=selection.pk)
    rows.filter(done_at=None).update(done_at=timezone.now(), reason=reason[:200])
    act = ACTS[Act(selection.act)]

    def piece(row: Selection, ids: Sequence[uuid.UUID]) -> dict[str, str]:
        jobs = Execution.objects.in_bulk(ids)
        return {str(pk): act(jobs[pk], row, user_id, may, row.reason) if pk in jobs else GONE for pk in ids}

    chunked.carry_on(rows, piece)
    selection.refresh_from_db()
    return selection


def _cancel(job: Execution, selection: Selection, user_id: int, may: May, reason: str) -> str:
    if job.is_terminal:
        return ENDED
    if not may(job):
        return NOT_YOURS
    if canceling.request(job, user_id=user_id, reason=reason):
        job.refresh_from_db()
        return STOPPED if job.is_terminal else ASKED
    job.refresh_from_db()
    if job.is_terminal:
        return ENDED
    return UNSURE if job.status == statuses.UNCONFIRMED else ASKED_BEFORE


def _again(job: Execution, selection: Selection, user_id: int, may: May, reason: str) -> str:
    if not may(job):
        return CANNOT_START
    submit.start(
        tool=tools.find(job.tool),
        body=job.request_body,
        user_id=user_id,
        title=job.prompt,
        key=f"again.{job.pk}.{selection.pk}",
        again=job,
    )
    return STARTED


def _archive(job: Execution, selection: Selection, user_id: int, may: May, reason: str) -> str:
    files = [result.file for result in job.results.select_related("file") if result.file.archived_at is None]
    if not files:
        return NOTHING
    if not may(job):
        return NOT_YOURS
    for file in files:
        file_actions.archive(file, user_id, reason=reason)
    return ARCHIVED


ACTS = {Act.CANCEL: _cancel, Act.AGAIN: _again, Act.ARCHIVE: _archive}
