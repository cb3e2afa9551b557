"""The lists on the batch pages: batches, a batch's jobs, the rows of a plan, and the jobs of a cancel."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.urls import reverse

from dashboard.cards import job as cards
from dashboard.cards.batch import batch_cards
from dashboard.cards.cancellation import outcome_badge
from dashboard.http.params import PageCursor, as_uuid
from dashboard.http.query_urls import with_query
from executions import tools
from executions.batches import insert as batch_insert
from executions.batches import service as batches
from executions.batches.rows import known_files, plan_rows
from executions.core import keyset
from executions.lifecycle import estimates, queue_state
from executions.models import Batch, BatchCancel, BatchPlan, Execution, File
from executions.statuses import StatusBadge

BATCHES_PER_PAGE, JOBS_PER_PAGE = 30, 100


class BatchList:
    """Batches, the newest first; `after` is the last id of the previous page."""

    def __init__(self, user: Any, query: Mapping[str, str]) -> None:
        self._cursor = PageCursor(query, as_uuid)
        self.after = self._cursor.after
        rows = Batch.objects.select_related("created_by")
        self._page = keyset.page(rows, size=BATCHES_PER_PAGE, after=self.after)
        self.cards = batch_cards(user, self._page.rows)

    @property
    def here_url(self) -> str:
        return with_query(reverse("batches"), {"after": self.after})

    @property
    def next_url(self) -> str:
        return self._cursor.next_url(reverse("batches"), self._page)


class JobsPage:
    """A batch's jobs in their order, optionally of one status."""

    def __init__(self, user: Any, batch: Batch, query: Mapping[str, str]) -> None:
        self.batch = batch
        self.status = query.get("status", "")[:64].replace("\x00", "")
        self._cursor = PageCursor(query, as_uuid)
        self.after = self._cursor.after
        rows = batch.executions.for_cards()
        if self.status:
            rows = rows.with_status(self.status)
        self._page = keyset.page(rows, size=JOBS_PER_PAGE, after=self.after, by="pk")
        self.cards = cards.cards_for(user, self._page.rows)

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
    """A row of a plan as shown: `own` are its (label, value) settings that other rows do not share."""

    number: int
    title: str
    own: list[tuple[str, str]]
    files: list[File]
    made_url: str


class PlanPage:
    """A plan for review: all jobs that it would start."""

    def __init__(self, plan: BatchPlan) -> None:
        self.plan = plan
        self.tool = tools.find(plan.tool)
        self._rows = plan_rows(plan)
        self._files = known_files(self.tool, [row.body for row in self._rows])
        self.queue = queue_state.state()
        # When all jobs would have been submitted; None while the whole queue is paused.
        self.forecast = None if self.queue.paused_at else estimates.forecast(self.jobs)

    @property
    def count(self) -> int:
        return len(self._rows)

    @property
    def jobs(self) -> int:
        return batch_insert.job_count(self._rows)

    @property
    def result_count(self) -> int:
        """The number of results that the jobs would make."""
        return sum(int(row.body.get("numResults") or 1) for row in self._rows)

    @property
    def made(self) -> int:
        """The number of rows with the same settings as a job that succeeded before."""
        return sum(bool(row.duplicate_of) for row in self._rows)

    @property
    def new(self) -> int:
        return self.count - self.made

    @property
    def seconds(self) -> int:
        """How long the start can be undone, in seconds."""
        return int(batches.UNDO_WINDOW.total_seconds())

    @cached_property
    def _settings(self) -> list[list[tuple[str, str]]]:
        """The (label, value) settings of each row, without its subject and files, which are shown apart."""
        subject = next((each.label for each in self.tool.fields if each.name == self.tool.subject), "")
        files = {each.label for each in self.tool.file_fields}
        return [
            [
                (label, value)
                for label, value in self.tool.parameters(row.body)
                if label not in files | {subject}
            ]
            for row in self._rows
        ]

    @cached_property
    def shared(self) -> list[tuple[str, str]]:
        """The settings that all rows share."""
        first, *others = self._settings
        return [pair for pair in first if all(pair in other for other in others)]

    @cached_property
    def rows(self) -> list[PlanRow]:
        return [
            PlanRow(
                row.number,
                row.title,
                [pair for pair in settings if pair not in self.shared],
                [self._files[name] for _, name in self.tool.inputs(row.body) if name in self._files],
                reverse("execution", args=[row.duplicate_of]) if row.duplicate_of else "",
            )
            for row, settings in zip(self._rows, self._settings, strict=True)
        ]


@dataclass(frozen=True)
class CancelLine:
    """One job of a batch cancel: its status before the cancel, its outcome afterwards."""

    card: cards.Card
    badge: StatusBadge


def cancel_lines(user: Any, cancel: BatchCancel) -> list[CancelLine]:
    """The jobs of the cancel in their order, without those removed from the history."""
    jobs = Execution.objects.for_cards().in_bulk([uuid.UUID(each) for each in cancel.ids])
    lines = []
    for each in cancel.ids:
        job = jobs.get(uuid.UUID(each))
        if job is not None:
            card = cards.card(job, cards.audience(user, job.created_by_id))
            lines.append(
                CancelLine(
                    card,
                    outcome_badge(cancel.report.get(each, ""), card.badge) if cancel.done_at else card.badge,
                )
            )
    return lines
