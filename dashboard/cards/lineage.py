"""The lineage of files and jobs (their sources and uses), and the history of a file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.cards import job as job_card
from dashboard.cards.file import Tile, tiles_for
from executions.models import Event, Execution, File
from executions.models.event import FileKind

MAX_RELATED = 12
MAX_EVENTS = 60


@dataclass(frozen=True)
class Lineage:
    """`job` made the file from `sources`; `uses` are the jobs that used it, the latest first."""

    job: job_card.Card | None
    sources: list[Tile]
    uses: list[job_card.Card]
    more: bool

    @property
    def is_known(self) -> bool:
        return bool(self.job or self.uses)


def file_lineage(file: File, user: Any) -> Lineage:
    """The lineage of a file, in a constant number of queries."""
    job = Execution.objects.for_cards().with_result(file).order_by("id").first()
    inputs = job.inputs.select_related("file__created_by") if job else ()
    uses = list(Execution.objects.for_cards().with_input(file).newest_first()[: MAX_RELATED + 1])
    return Lineage(
        job=job_card.cards_for(user, [job])[0] if job else None,
        sources=tiles_for(user, (each.file for each in inputs)),
        uses=job_card.cards_for(user, uses[:MAX_RELATED]),
        more=len(uses) > MAX_RELATED,
    )


@dataclass(frozen=True)
class JobLineage:
    """`sources` are the job's input files, `before` is the job that it waits for, `uses` are jobs that use its results."""

    sources: list[Tile]
    before: list[job_card.Card]
    uses: list[job_card.Card]
    more: bool

    @property
    def is_known(self) -> bool:
        return bool(self.sources or self.before or self.uses)


def job_lineage(execution: Execution, user: Any) -> JobLineage:
    """The lineage of a job, in a constant number of queries."""
    inputs = execution.inputs.select_related("file__created_by")[:MAX_RELATED]
    uses = list(Execution.objects.for_cards().following(execution).newest_first()[: MAX_RELATED + 1])
    before = [Execution.objects.for_cards().get(pk=execution.after_id)] if execution.after_id else []
    return JobLineage(
        sources=tiles_for(user, (each.file for each in inputs)),
        before=job_card.cards_for(user, before),
        uses=job_card.cards_for(user, uses[:MAX_RELATED]),
        more=len(uses) > MAX_RELATED,
    )


@dataclass(frozen=True)
class HistoryLine:
    """One event of a file; `source` adds a detail, such as until when a file is public."""

    at: datetime
    icon: str
    text: str
    source: str


def file_history(file: File, user: Any) -> list[HistoryLine]:
    """The latest MAX_EVENTS events of a file, in order of time."""
    events = file.events.select_related("actor").order_by("-id")[:MAX_EVENTS]
    return [_line(event, user) for event in events][::-1]


def _line(event: Event, user: Any) -> HistoryLine:
    who = "Rushes"
    if event.actor is not None:
        who = "you" if event.actor_id == user.pk else event.actor.get_username()
    until = event.detail.get("until")
    descriptions: dict[str, tuple[str, str]] = {
        FileKind.UPLOADED: ("upload", f"{who} uploaded it"),
        FileKind.ARCHIVED: ("archive", f"{who} archived it"),
        FileKind.RESTORED: ("archive-restore", f"{who} restored it"),
        FileKind.PUBLISHED: (
            "globe",
            f"{who} {'changed the end date of its public link' if event.detail.get('changed') else 'made it public'}",
        ),
        FileKind.DOWNLOADED: ("download", f"{who} downloaded it"),
        FileKind.LINK_COPIED: ("copy", f"{who} copied its public link"),
        FileKind.COPIED: (
            "hard-drive-download",
            "a copy was made" if event.actor is None else f"a copy was made, requested by {who}",
        ),
        FileKind.WITHDRAWN: (
            "lock",
            f"{who} withdrew the public preview{'' if event.actor else ' on its end date'}",
        ),
    }
    icon, text = descriptions.get(event.kind, ("circle-dot", event.kind))
    source = ""
    if event.kind == FileKind.PUBLISHED:
        source = f"until {datetime.fromisoformat(until):%-d %B %Y}" if until else "until withdrawn"
    return HistoryLine(event.occurred_at, icon, text, source)
