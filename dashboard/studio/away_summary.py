"""A person's jobs that finished since their last visit: one line per batch, failures by cause, and successes."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from django.urls import reverse
from django.utils import timezone

from dashboard.cards import job as job_card
from dashboard.cards.batch import ORDER
from dashboard.cards.error_advice import advice
from dashboard.http.history_links import history_url
from executions import statuses, tools
from executions.models import Execution
from executions.search.jobs import NO_CODE
from executions.statuses import CANCELLED, FAILED, SUCCEEDED
from executions.team import last_visit

MAX_CARDS = 6


@dataclass
class BatchLine:
    """The finished jobs of one batch, by status."""

    name: str
    url: str
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def summary(self) -> str:
        return format_counts(self.counts)


@dataclass
class Cause:
    """A person's jobs of one tool that failed for the same reason."""

    tool: tools.Tool
    person: int
    message: str
    code: str
    advice: str
    ids: list[str] = field(default_factory=list)
    titles: list[str] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    """The days on which they were started, in UTC."""

    @property
    def count(self) -> int:
        return len(self.ids)

    @property
    def url(self) -> str:
        if self.count == 1:
            return reverse("execution", args=self.ids)
        return history_url(
            {
                "status": FAILED,
                "tool": self.tool.slug,
                "error": self.code or NO_CODE,
                "person": self.person,
                "from": min(self.days),
                "to": max(self.days),
            }
        )

    @property
    def may_run_again(self) -> bool:
        return self.tool.slug in tools.available()


def format_counts(counts: Counter[str]) -> str:
    """Such as "3 succeeded, 1 cancelled"."""
    present = [(each, counts[each]) for each in ORDER if counts[each]]
    return ", ".join(f"{count} {statuses.badge(status).label}" for status, count in present)


class AwaySummary:
    """A person's jobs that finished after `since` and up to `until` (now by default), in at most five queries."""

    def __init__(self, user: Any, since: datetime, until: datetime | None = None) -> None:
        self.since, self.until = since, until or timezone.now()
        found = last_visit.finished_jobs(user.pk, since, self.until)
        self.has_more = len(found) > last_visit.MAX_ROWS
        self.jobs = found[: last_visit.MAX_ROWS]
        self.counts = Counter(job.status for job in self.jobs)
        self.batches = self._batches()
        self.causes = self._causes(user)
        self.succeeded_cards = self._succeeded_cards(user)

    def __bool__(self) -> bool:
        return bool(self.jobs)

    @property
    def summary(self) -> str:
        return format_counts(self.counts)

    @property
    def total(self) -> int:
        return len(self.jobs)

    @property
    def succeeded(self) -> int:
        """Jobs that succeeded and belong to no batch."""
        return sum(job.status == SUCCEEDED and job.batch_id is None for job in self.jobs)

    @property
    def cancelled(self) -> int:
        """Jobs that were cancelled and belong to no batch."""
        return sum(job.status == CANCELLED and job.batch_id is None for job in self.jobs)

    def _batches(self) -> list[BatchLine]:
        lines: dict[uuid.UUID, BatchLine] = {}
        for job in self.jobs:
            if job.batch_id is None or job.batch is None:
                continue
            line = lines.setdefault(
                job.batch_id, BatchLine(job.batch.name, reverse("batch", args=[job.batch_id]))
            )
            line.counts[job.status] += 1
        return list(lines.values())

    def _causes(self, user: Any) -> list[Cause]:
        causes: dict[tuple[str, str, str], Cause] = {}
        for job in self.jobs:
            if job.status != FAILED:
                continue
            error = job.error or {}
            code = str(error.get("code") or error.get("internal_error_code") or "")
            message = str(error.get("message") or "")
            # A code identifies the cause; the message beside it may name the job.
            key = (job.tool, code, "" if code else message)
            if key not in causes:
                shown = message or "VideoGen gave no reason."
                causes[key] = Cause(tools.find(job.tool), user.pk, shown, code, advice(error))
            causes[key].ids.append(str(job.pk))
            causes[key].titles.append(job.prompt)
            causes[key].days.append(job.created_at.astimezone(UTC).date())
        return sorted(causes.values(), key=lambda cause: -cause.count)

    def _succeeded_cards(self, user: Any) -> list[job_card.Card]:
        """The latest single jobs that succeeded and have results."""
        ids = [job.pk for job in self.jobs if job.status == SUCCEEDED and job.batch_id is None][:MAX_CARDS]
        found = Execution.objects.for_cards().in_bulk(ids)
        jobs = [found[pk] for pk in ids if pk in found]
        return [each for each in job_card.cards_for(user, jobs) if each.results]
