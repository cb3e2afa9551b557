"""What the pages of batches list: batches, their jobs, the rows of a plan, the lines of a cancel."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.urls import reverse

from dashboard.cards import job as cards
from dashboard.cards.batch import BatchCard, batch_cards
from dashboard.http.params import PageCursor, as_uuid
from dashboard.http.query_urls import with_query
from executions import statuses, tools
from executions.batches import insert as batch_insert
from executions.batches import service as batches
from executions.batches.rows import known_files, of_plan
from executions.core import keyset
from executions.lifecycle import estimates, queue_state
from executions.models import Batch, BatchCancel, BatchPlan, Execution, File, Queue
from executions.statuses import CANCELLED, QUEUED, StatusBadge

LISTED, JOBS = 30, 100


class BatchList:
    """The newest batches first; `after` is the id that the page before ended with."""

    def __init__(self, user: Any, query: Mapping[str, str]) -> None:
        self.user = user
        self._cursor = PageCursor(query, as_uuid)
        self.after = self._cursor.after

    @cached_property
    def _page(self) -> keyset.Page[Batch]:
        return keyset.page(Batch.objects.select_related("created_by"), size=LISTED, after=self.after)

    @cached_property
    def cards(self) -> list[BatchCard]:
        return batch_cards(self.user, self._page.rows)

    @property
    def here_url(self) -> str:
        return with_query(reverse("batches"), {"after": self.after})

    @property
    def next_url(self) -> str:
        return self._cursor.next_url(reverse("batches"), self._page)


class JobsPage:
    """A batch's jobs in their order, all or those of one status."""

    def __init__(self, user: Any, batch: Batch, query: Mapping[str, str]) -> None:
        self.user = user
        self.batch = batch
        self.status = query.get("status", "")[:64].replace("\x00", "")
        self._cursor = PageCursor(query, as_uuid)
        self.after = self._cursor.after

    @cached_property
    def _page(self) -> keyset.Page[Execution]:
        rows = Execution.objects.for_cards().filter(batch=self.batch)
        if self.status:
            rows = rows.filter(status=self.status)
        return keyset.page(rows, size=JOBS, after=self.after, by="pk")

    @cached_property
    def cards(self) -> list[cards.Card]:
        return cards.cards_for(self.user, self._page.rows)

    @property
    def base_url(self) -> str:
        return reverse("batch", args=[self.batch.pk])

    @property
    def here_url(self) -> str:
        return with_query(self.base_url, {"status": self.status, "after": self.after})

    @property
    def first_url(self) -> str:
        return with_query(self.base_url, {"status": self.status}) if self.after else ""

    @property
    def next_url(self) -> str:
        return self._cursor.next_url(self.base_url, self._page, {"status": self.status})


@dataclass(frozen=True)
class PlanRow:
    """A row of a plan in words: `own` is what it asks for that others do not."""

    number: int
    title: str
    own: list[tuple[str, str]]
    files: list[File]
    made_url: str


class PlanPage:
    """Everything that a plan would start, and nothing else."""

    def __init__(self, plan: BatchPlan) -> None:
        self.plan = plan
        self.tool = tools.find(plan.tool)
        self._rows = of_plan(plan)

    @property
    def count(self) -> int:
        return len(self._rows)

    @property
    def jobs(self) -> int:
        return batch_insert.size(self._rows)

    @cached_property
    def forecast(self) -> estimates.SubmissionForecast | None:
        """By when all would be sent; None while the whole queue is paused."""
        return None if self.queue.paused_at else estimates.forecast(self.jobs)

    @cached_property
    def queue(self) -> Queue:
        return queue_state.state()

    @property
    def takes(self) -> int:
        """Results that the jobs are asked for."""
        return sum(int(row.body.get("numResults") or 1) for row in self._rows)

    @property
    def made(self) -> int:
        """Rows that asked the same as a job that succeeded before."""
        return sum(bool(row.made) for row in self._rows)

    @property
    def new(self) -> int:
        return self.count - self.made

    @property
    def seconds(self) -> int:
        """How long it can be undone."""
        return int(batches.HOLD.total_seconds())

    @cached_property
    def _asked(self) -> list[list[tuple[str, str]]]:
        subject = next((each.label for each in self.tool.fields if each.name == self.tool.subject), "")
        files = {each.label for each in self.tool.file_fields}
        return [
            [
                (label, words)
                for label, words in self.tool.parameters(row.body)
                if label not in files | {subject}
            ]
            for row in self._rows
        ]

    @cached_property
    def shared(self) -> list[tuple[str, str]]:
        """What all rows ask for alike."""
        first, *others = self._asked
        return [pair for pair in first if all(pair in other for other in others)]

    @cached_property
    def rows(self) -> list[PlanRow]:
        files = known_files(self.tool, [row.body for row in self._rows])
        return [
            PlanRow(
                row.number,
                row.title,
                [pair for pair in asked if pair not in self.shared],
                [files[name] for _, name in self.tool.inputs(row.body) if name in files],
                reverse("execution", args=[row.made]) if row.made else "",
            )
            for row, asked in zip(self._rows, self._asked, strict=True)
        ]


@dataclass(frozen=True)
class CancelLine:
    """One job of a cancel: as it stands before, or what became of it."""

    card: cards.Card
    badge: StatusBadge


def cancel_lines(user: Any, wish: BatchCancel) -> list[CancelLine]:
    """The named jobs in their order; those that are gone from the history are left out."""
    jobs = Execution.objects.for_cards().in_bulk([uuid.UUID(each) for each in wish.ids])
    lines = []
    for each in wish.ids:
        job = jobs.get(uuid.UUID(each))
        if job is not None:
            card = cards.card(job, cards.audience(user, job.created_by_id))
            lines.append(
                CancelLine(card, _became(wish.report.get(each), card) if wish.done_at else card.badge)
            )
    return lines


def _became(word: str | None, card: cards.Card) -> StatusBadge:
    match word:
        case batches.STOPPED:
            return StatusBadge("cancelled before it was sent", "ban", CANCELLED)
        case batches.ASKED:
            return StatusBadge("VideoGen was asked to cancel it", "hourglass", QUEUED)
        case batches.ASKED_BEFORE:
            return StatusBadge("was being cancelled already", "hourglass", QUEUED)
        case batches.UNSURE:
            return StatusBadge("its answer was lost: it cannot be cancelled", "circle-question-mark", QUEUED)
        case batches.ENDED:
            return StatusBadge(f"had ended: {card.badge.label}", card.badge.icon, card.badge.hue)
    return StatusBadge("not done yet", "clock", statuses.QUEUED)
