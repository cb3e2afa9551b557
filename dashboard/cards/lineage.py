"""Where a file or a job came from, what was made from it, and what people did with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dashboard.cards import job as job_card
from dashboard.cards.file import Tile, tiles_for
from executions.models import Event, Execution, File, Input
from executions.models.event import FileKind

MOST = 12
LINES = 60


@dataclass(frozen=True)
class Lineage:
    """`job` made the file, out of `sources`; `uses` are the jobs that worked from it, the latest first."""

    job: job_card.Card | None
    sources: list[Tile]
    uses: list[job_card.Card]
    more: bool

    @property
    def is_known(self) -> bool:
        return bool(self.job or self.uses)


def of(file: File, user: Any) -> Lineage:
    """In a number of queries that does not grow with the number of files."""
    job = Execution.objects.for_cards().filter(results__file=file).order_by("id").first()
    inputs = Input.objects.filter(execution=job).select_related("file__created_by") if job else []
    uses = list(
        Execution.objects.for_cards()
        .filter(pk__in=Input.objects.filter(file=file).values("execution"))
        .newest_first()[: MOST + 1]
    )
    return Lineage(
        job=job_card.cards_for(user, [job])[0] if job else None,
        sources=tiles_for(user, (each.file for each in inputs)),
        uses=job_card.cards_for(user, uses[:MOST]),
        more=len(uses) > MOST,
    )


@dataclass(frozen=True)
class JobLineage:
    """`sources` are the files it works from, `before` holds the job that it waited for; `uses` work from its results."""

    sources: list[Tile]
    before: list[job_card.Card]
    uses: list[job_card.Card]
    more: bool

    @property
    def is_known(self) -> bool:
        return bool(self.sources or self.before or self.uses)


def of_job(execution: Execution, user: Any) -> JobLineage:
    """In a number of queries that grows neither with the files nor with the jobs."""
    inputs = Input.objects.filter(execution=execution).select_related("file__created_by")[:MOST]
    made = execution.results.values("file")
    # Put together as ids: for one condition or the other PostgreSQL would read every job.
    from_results = Input.objects.filter(file__in=made).values_list("execution")
    followers = from_results.union(Execution.objects.filter(after=execution).values_list("pk"))
    uses = list(Execution.objects.for_cards().filter(pk__in=followers).newest_first()[: MOST + 1])
    before = Execution.objects.for_cards().filter(pk=execution.after_id) if execution.after_id else ()
    return JobLineage(
        sources=tiles_for(user, (each.file for each in inputs)),
        before=job_card.cards_for(user, before),
        uses=job_card.cards_for(user, uses[:MOST]),
        more=len(uses) > MOST,
    )


@dataclass(frozen=True)
class Line:
    at: datetime
    icon: str
    text: str
    source: str


def story(file: File, user: Any) -> list[Line]:
    """What was done with it, the latest last: as much as can be taken in."""
    events = Event.objects.filter(file=file).select_related("actor").order_by("-id")[:LINES]
    return [_line(event, user) for event in events][::-1]


def _line(event: Event, user: Any) -> Line:
    who = "Rushes"
    if event.actor is not None:
        who = "you" if event.actor_id == user.pk else event.actor.get_username()
    until = event.detail.get("until")
    words: dict[str, tuple[str, str]] = {
        FileKind.UPLOADED: ("upload", f"{who} uploaded it"),
        FileKind.ARCHIVED: ("archive", f"{who} archived it"),
        FileKind.RESTORED: ("archive-restore", f"{who} brought it back"),
        FileKind.PUBLISHED: (
            "globe",
            f"{who} {'changed until when it is public' if event.detail.get('changed') else 'made it public'}",
        ),
        FileKind.DOWNLOADED: ("download", f"{who} downloaded it"),
        FileKind.LINK_COPIED: ("copy", f"{who} copied its public link"),
        FileKind.COPIED: (
            "hard-drive-download",
            "A copy was made" if event.actor is None else f"A copy was made, which {who} asked for",
        ),
        FileKind.WITHDRAWN: (
            "lock",
            f"{who} withdrew the public preview{'' if event.actor else ', since its day had come'}",
        ),
    }
    icon, text = words.get(event.kind, ("circle-dot", event.kind))
    source = ""
    if event.kind == FileKind.PUBLISHED:
        source = (
            f"until {datetime.fromisoformat(until):%-d %B %Y}" if until else "until somebody withdraws it"
        )
    return Line(event.occurred_at, icon, text, source)
