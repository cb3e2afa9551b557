"""The page of a bulk action: each selected job and whether it will be included, then its outcome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from dashboard.cards import job as job_card
from dashboard.cards.cancellation import outcome_badge
from executions.batches import bulk_actions
from executions.core import chunked
from executions.models import Execution, Selection
from executions.models.selection import Act
from executions.statuses import FAILED, QUEUED, SUCCEEDED, UNCONFIRMED, StatusBadge


@dataclass(frozen=True)
class SelectionRow:
    """One job: its status or outcome, and why it will be skipped; `skipped` is empty if it will not."""

    card: job_card.Card
    badge: StatusBadge
    skipped: str = ""


@dataclass(frozen=True)
class ActionTexts:
    """The texts of an action; `verb` is followed by a number of jobs."""

    verb: str
    icon: str
    notice: str
    report_title: str


ACTION_TEXTS = {
    Act.CANCEL: ActionTexts(
        "Cancel",
        "ban",
        "Jobs that finish first are skipped and keep their results. Jobs already running at VideoGen may be billed.",
        "Cancellation report",
    ),
    Act.RERUN: ActionTexts(
        "Run again",
        "repeat",
        "Each becomes a new job of yours with the same settings, and is billed like any other.",
        "Re-run report",
    ),
    Act.ARCHIVE: ActionTexts(
        "Archive the results of",
        "archive",
        "The results are removed from the library. The jobs stay in the history, and each file can be restored from its page.",
        "Archive report",
    ),
    Act.DOWNLOAD: ActionTexts(
        "Download the results of", "download", "One ZIP, in the order of this list.", ""
    ),
}
OUTCOME_BADGES = {
    bulk_actions.RERUN: StatusBadge("started again", "repeat", SUCCEEDED),
    bulk_actions.CANNOT_RERUN: StatusBadge("skipped: you cannot re-run it", "minus", QUEUED),
    bulk_actions.ARCHIVED: StatusBadge("archived", "archive", SUCCEEDED),
    bulk_actions.NOTHING_TO_ARCHIVE: StatusBadge("skipped: nothing to archive", "minus", QUEUED),
    bulk_actions.NOT_ALLOWED: StatusBadge("skipped: not yours", "lock", FAILED),
}


class SelectionPage:
    def __init__(self, selection: Selection, user: Any) -> None:
        self.selection = selection
        self.user = user
        self.act = Act(selection.act)
        self.problem = ""
        self.lines: list[SelectionRow] = []

    def load(self) -> None:
        """Read the jobs in order, without those that no longer exist. For a page that is shown."""
        ids = [UUID(each) for each in self.selection.ids]
        jobs = Execution.objects.for_cards().for_lists().in_bulk(ids)
        self.lines = [self._line(jobs[pk]) for pk in ids if pk in jobs]

    @property
    def texts(self) -> ActionTexts:
        return ACTION_TEXTS[self.act]

    @property
    def is_done(self) -> bool:
        return self.selection.done_at is not None

    @property
    def is_open(self) -> bool:
        """Whether it awaits confirmation."""
        return not self.is_done and self.act is not Act.DOWNLOAD

    @property
    def left(self) -> int:
        """How many jobs remain; 0 before it began and when it is complete."""
        return chunked.remaining(self.selection)

    @property
    def is_in_progress(self) -> bool:
        return chunked.is_running(self.selection)

    @property
    def is_download(self) -> bool:
        return self.act is Act.DOWNLOAD

    @property
    def needs_reason(self) -> bool:
        """Whether the action loses something."""
        return self.act in (Act.CANCEL, Act.ARCHIVE)

    def _line(self, job: Execution) -> SelectionRow:
        card = job_card.card(job, job_card.audience(self.user, job.created_by_id))
        if self.is_done:
            return SelectionRow(card, self._outcome(self.selection.report.get(card.id, ""), card))
        is_allowed = bulk_actions.is_allowed(self.act, self.user, job)
        return SelectionRow(card, card.badge, self._skipped(card, is_allowed))

    @property
    def included(self) -> list[SelectionRow]:
        return [line for line in self.lines if not line.skipped]

    @property
    def unconfirmed_count(self) -> int:
        """How many unconfirmed jobs, which may be running, would be re-run."""
        return sum(line.card.status == UNCONFIRMED for line in self.included) if self.act is Act.RERUN else 0

    @property
    def result_count(self) -> int:
        return sum(len(line.card.results) for line in self.included)

    def _skipped(self, card: job_card.Card, is_allowed: bool) -> str:
        match self.act:
            case Act.CANCEL if card.is_final:
                return "already finished"
            case Act.CANCEL if card.is_cancelling:
                return "already being cancelled"
            case Act.ARCHIVE | Act.DOWNLOAD if not card.results:
                return "no result"
        if is_allowed:
            return ""
        return "you cannot re-run it" if self.act is Act.RERUN else "not yours"

    def _outcome(self, outcome: str, card: job_card.Card) -> StatusBadge:
        return OUTCOME_BADGES.get(outcome) or outcome_badge(outcome, card.badge)
