"""What the page of a selection shows: each job as it stands and whether it will be hit, then what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from uuid import UUID

from dashboard.cards import job as job_card
from executions.batches import bulk_actions
from executions.core import chunked
from executions.models import Execution, Selection
from executions.models.selection import Act
from executions.statuses import CANCELLED, FAILED, QUEUED, SUCCEEDED, UNCONFIRMED, Look


@dataclass(frozen=True)
class Line:
    """One job: how it stands (or what became of it), and why it will be left alone, if it will."""

    card: job_card.Card
    look: Look
    spared: str = ""


@dataclass(frozen=True)
class Words:
    """How an act is spoken of; `verb` is followed by a number of jobs."""

    verb: str
    icon: str
    promise: str
    done: str


WORDS = {
    Act.CANCEL: Words(
        "Cancel",
        "ban",
        "What ends before its turn is skipped, and its result is kept. What already runs at VideoGen may be billed.",
        "What became of the cancel",
    ),
    Act.AGAIN: Words(
        "Run again",
        "repeat",
        "Each becomes a new job of yours that asks the same, and is billed like any other.",
        "What was started again",
    ),
    Act.ARCHIVE: Words(
        "Archive the results of",
        "archive",
        "The results leave the library. The jobs stay in the history, and each file can be brought back from its page.",
        "What was archived",
    ),
    Act.DOWNLOAD: Words("Download the results of", "download", "One ZIP, in the order of this list.", ""),
}
REPORT = {
    bulk_actions.STOPPED: Look("cancelled before it was sent", "ban", CANCELLED),
    bulk_actions.ASKED: Look("VideoGen was asked to cancel it", "hourglass", QUEUED),
    bulk_actions.ASKED_BEFORE: Look("was being cancelled already", "hourglass", QUEUED),
    bulk_actions.UNSURE: Look("its answer was lost: it cannot be cancelled", "circle-question-mark", QUEUED),
    bulk_actions.STARTED: Look("started again", "repeat", SUCCEEDED),
    bulk_actions.CANNOT_START: Look("left alone: it cannot be started again by you", "minus", QUEUED),
    bulk_actions.ARCHIVED: Look("archived", "archive", SUCCEEDED),
    bulk_actions.NOTHING: Look("had nothing to archive", "minus", QUEUED),
    bulk_actions.NOT_YOURS: Look("left alone: it is not yours", "lock", FAILED),
}


class SelectionPage:
    def __init__(self, selection: Selection, user: Any) -> None:
        self.selection = selection
        self.user = user
        self.act = Act(selection.act)
        self.problem = ""

    @property
    def words(self) -> Words:
        return WORDS[self.act]

    @property
    def is_done(self) -> bool:
        return self.selection.done_at is not None

    @property
    def is_open(self) -> bool:
        """It waits for a yes."""
        return not self.is_done and self.act is not Act.DOWNLOAD

    @property
    def left(self) -> int:
        """How many it has not come to yet; 0 before it began, and when it is complete."""
        return chunked.left(self.selection)

    @property
    def is_under_way(self) -> bool:
        return chunked.is_under_way(self.selection)

    @property
    def is_download(self) -> bool:
        return self.act is Act.DOWNLOAD

    @property
    def needs_reason(self) -> bool:
        """Something is lost by it."""
        return self.act in (Act.CANCEL, Act.ARCHIVE)

    @cached_property
    def lines(self) -> list[Line]:
        """The jobs in their order; those that are gone from the history are left out."""
        ids = [UUID(each) for each in self.selection.ids]
        jobs = Execution.objects.for_cards().for_lists().in_bulk(ids)
        made = []
        for pk in ids:
            if (job := jobs.get(pk)) is None:
                continue
            card = job_card.card(job, job_card.audience(self.user, job.created_by_id))
            if self.is_done:
                made.append(Line(card, self._became(self.selection.report.get(str(pk), ""), card)))
            else:
                made.append(
                    Line(card, card.look, self._spared(card, bulk_actions.may(self.act, self.user, job)))
                )
        return made

    @property
    def hit(self) -> list[Line]:
        return [line for line in self.lines if not line.spared]

    @property
    def in_doubt(self) -> int:
        """Of what is run again: jobs whose answer was lost, which may be running."""
        return sum(line.card.status == UNCONFIRMED for line in self.hit) if self.act is Act.AGAIN else 0

    @property
    def takes(self) -> int:
        return sum(len(line.card.takes) for line in self.hit)

    def _spared(self, card: job_card.Card, is_allowed: bool) -> str:
        match self.act:
            case Act.CANCEL if card.is_final:
                return "has ended"
            case Act.CANCEL if card.is_cancelling:
                return "is being cancelled already"
            case Act.ARCHIVE | Act.DOWNLOAD if not card.takes:
                return "has no result"
        if is_allowed:
            return ""
        return "cannot be started again by you" if self.act is Act.AGAIN else "is not yours"

    def _became(self, word: str, card: job_card.Card) -> Look:
        if word == bulk_actions.ENDED:
            return Look(f"had ended: {card.look.word}", card.look.icon, card.look.hue)
        return REPORT.get(word) or Look("not done yet", "clock", QUEUED)
