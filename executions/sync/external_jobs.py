"""Unknown jobs of the account: links them to our unconfirmed jobs, or imports them as external jobs.

An unconfirmed job (its response was lost) may be one of them. It is linked automatically only when the match is
unambiguous: one unknown job of that tool, started in that minute, and one of our jobs that it can belong to. Otherwise
a person links it. Unknown jobs that match none of our jobs were started outside Rushes (by a script, or VideoGen's own
tools). They are imported, so that the history is complete.
"""

from __future__ import annotations

import logging
import uuid
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from executions import policy, tools
from executions.core import ids
from executions.lifecycle import errors, observations, status_machine
from executions.models import Execution, ExternalJob, WebhookDelivery
from executions.models.event import Source
from executions.models.webhook_delivery import Outcome
from executions.policy import Action, Actor
from executions.statuses import UNCONFIRMED
from executions.videogen import ToolExecution, parse_event
from executions.webhooks import ingest

logger = logging.getLogger(__name__)

# Longest time between our sending a job and its start at VideoGen, in either direction: clocks and latencies differ.
MATCH_WINDOW = timedelta(seconds=60)
# Clock difference between our own machines.
CLOCK_SKEW = timedelta(seconds=2)
# By then a response has arrived, or never will (leases.CALL_LIMIT).
RESPONSE_TIMEOUT = timedelta(seconds=90)
# How long an unconfirmed job can be matched.
MATCH_PERIOD = timedelta(days=1)
# Jobs imported per run; the next run imports the rest.
MAX_IMPORTS = 500

# The remote id of the row that marks the baseline as recorded. Stored.
BASELINE = "-first-look"


@dataclass(frozen=True)
class RecordResult:
    new_rows: int
    """Unknown jobs that were not recorded before."""
    reached_baseline: bool
    """The list has been read down to the jobs of the baseline."""


def tool_slug(tool_type: str) -> str:
    """The slug of a tool type; derived from its name if the catalogue lacks it."""
    known = tools.BY_TYPE.get(tool_type)
    return known.slug if known else (tool_type.lower().replace("_", "-") or "unknown")[:64]


def record_listed(found: Sequence[ToolExecution], *, at: datetime, is_past: bool = False) -> RecordResult:
    """Record the unknown jobs of a page. Pages are sorted by start, newest first.

    `at` is when the response arrived, not when the request was sent: jobs that started in between may be listed.
    `is_past` means that all jobs of the page are older than the baseline.
    """
    ids = [each.execution_id for each in found]
    rows = Execution.objects.filter(remote_id__in=ids).values_list("remote_id", "sent_at", "accepted_at")
    ours = {str(remote_id): (sent_at, accepted_at) for remote_id, sent_at, accepted_at in rows}
    known = {each.remote_id: each for each in ExternalJob.objects.filter(remote_id__in=ids)}
    after, before = start_bounds(ids, ours, at)
    new_rows = []
    for each in found:
        row = known.get(each.execution_id)
        # Everything after a job of the baseline is older than the baseline.
        is_past = is_past or (row is not None and row.is_past)
        if row is not None and row.status != each.status:
            ExternalJob.objects.filter(pk=row.pk).update(status=each.status)
        if row is None and not is_past and each.execution_id not in ours:
            new_rows.append(_external_job(each, at, after[each.execution_id], before[each.execution_id]))
    ExternalJob.objects.bulk_create(new_rows, ignore_conflicts=True)
    return RecordResult(len(new_rows), is_past)


def _external_job(
    listed: ToolExecution, at: datetime, after: datetime | None, before: datetime
) -> ExternalJob:
    return ExternalJob(
        remote_id=listed.execution_id,
        tool=tool_slug(listed.tool_type),
        status=listed.status,
        seen_at=at,
        started_after=after,
        started_before=before,
    )


def record_baseline(newest: Sequence[ToolExecution], *, at: datetime) -> None:
    """Record the jobs listed at the first poll. They and older ones are not imported."""
    ids = [each.execution_id for each in newest]
    ours = set(Execution.objects.filter(remote_id__in=ids).values_list("remote_id", flat=True))
    ExternalJob.objects.bulk_create(
        [
            ExternalJob(remote_id=BASELINE, tool="", status="", seen_at=at, started_before=at, is_past=True),
            *(
                ExternalJob(
                    remote_id=each.execution_id,
                    tool=tool_slug(each.tool_type),
                    status=each.status,
                    seen_at=at,
                    started_before=at,
                    is_past=True,
                )
                for each in newest
                if each.execution_id not in ours
            ),
        ],
        ignore_conflicts=True,
    )


def has_baseline() -> bool:
    return ExternalJob.objects.filter(remote_id=BASELINE).exists()


def start_bounds(
    ids: Sequence[str], ours: dict[str, tuple[datetime | None, datetime | None]], at: datetime
) -> tuple[dict[str, datetime | None], dict[str, datetime]]:
    """(earliest, latest) start of each listed job, from our jobs next to it. `ours`: when each was sent and accepted.

    VideoGen starts a job after we sent it and before its response. Concurrent requests may overtake each other.
    """
    before: dict[str, datetime] = {}
    latest = at
    for each in ids:
        _, accepted_at = ours.get(each, (None, None))
        latest = min(latest, accepted_at or latest)
        before[each] = latest
    after: dict[str, datetime | None] = {}
    earliest: datetime | None = None
    for each in reversed(ids):
        sent_at, _ = ours.get(each, (None, None))
        if sent_at is not None:
            earliest = sent_at if earliest is None else max(earliest, sent_at)
        after[each] = earliest
    return after, before


def record_deliveries(now: datetime) -> None:
    """Record the jobs of webhooks that matched none of our jobs, unless a response has named them since."""
    long_ago = now - RESPONSE_TIMEOUT
    claimed = Execution.objects.filter(remote_id=OuterRef("remote_execution_id"))
    known = ExternalJob.objects.filter(remote_id=OuterRef("remote_execution_id"))
    waiting = (
        WebhookDelivery.objects.filter(outcome=Outcome.UNKNOWN_JOB, received_at__lt=long_ago)
        .exclude(Exists(claimed))
        .exclude(Exists(known))
        .order_by("id")[:200]
    )
    for delivery in waiting:
        event = parse_event(bytes(delivery.body))
        ExternalJob.objects.get_or_create(
            remote_id=delivery.remote_execution_id,
            defaults={
                "tool": tool_slug(event.tool_type),
                "status": ingest.STATUS_OF[event.event],
                "seen_at": delivery.received_at,
                "started_before": delivery.received_at,
            },
        )


def candidates(execution: Execution) -> list[ExternalJob]:
    """Unknown jobs that an unconfirmed job may be, the likeliest (the latest possible) first."""
    if execution.status != UNCONFIRMED or execution.sent_at is None:
        return []
    return list(_possible(execution.tool, execution.sent_at)[:20])


def _possible(tool: str, sent_at: datetime) -> QuerySet[ExternalJob]:
    return ExternalJob.objects.filter(
        Q(started_after=None) | Q(started_after__lte=sent_at + MATCH_WINDOW),
        tool=tool,
        is_past=False,
        started_before__gte=sent_at - CLOCK_SKEW,
    ).order_by("-started_before")


def match_and_import(now: datetime) -> None:
    """Link unconfirmed jobs that have one possible match, and import external jobs."""
    claimed = Execution.objects.filter(remote_id=OuterRef("remote_id"))
    ExternalJob.objects.filter(Exists(claimed)).delete()  # a response has named them since
    record_deliveries(now)
    # Includes jobs whose response is pending, or was lost in a crash just now: an unknown job may be theirs.
    unresolved = list(
        Execution.objects.filter(remote_id=None, ended_at=None, sent_at__gte=now - MATCH_PERIOD).order_by(
            "id"
        )
    )
    sent: dict[str, list[datetime]] = {}
    for job in unresolved:
        assert job.sent_at is not None
        insort(sent.setdefault(job.tool, []), job.sent_at)
    for job in unresolved:
        assert job.sent_at is not None
        if job.status != UNCONFIRMED:
            continue
        match list(_possible(job.tool, job.sent_at)[:2]):
            case [only] if _owners(only, sent) == 1 and _is_confined(only, job):
                link(job.pk, only.remote_id, actor=policy.SYSTEM, source=Source.POLL)
    if settings.IMPORT_ELSEWHERE:
        _import_all(sent, now)


def _owners(external: ExternalJob, sent: dict[str, list[datetime]]) -> int:
    """How many of our jobs it can belong to; `sent` has their times by tool, sorted. The inverse of `_possible`."""
    times = sent.get(external.tool, [])
    first = bisect_left(times, external.started_after - MATCH_WINDOW) if external.started_after else 0
    return max(0, bisect_right(times, external.started_before + CLOCK_SKEW) - first)


def _is_confined(external: ExternalJob, job: Execution) -> bool:
    """Whether it certainly started within the match window; `_possible` also accepts unknown start times."""
    assert job.sent_at is not None
    return (
        external.started_after is not None
        and external.started_after >= job.sent_at - MATCH_WINDOW
        and external.started_before <= job.sent_at + RESPONSE_TIMEOUT + MATCH_WINDOW
    )


def link(execution_id: uuid.UUID, remote_id: str, *, actor: Actor, source: Source = Source.PERSON) -> bool:
    """Link an unconfirmed job to a job at VideoGen. False if it is no longer unconfirmed, or the other is linked.

    Raises NotAllowed.
    """
    job = Execution.objects.only("created_by").get(pk=execution_id)
    actor_id = policy.require(actor, Action.JOB_LINK, job)
    accepted = observations.Accepted(source=source, actor_id=actor_id, remote_id=remote_id, answer=None)
    try:
        with transaction.atomic():
            if not status_machine.apply(execution_id, accepted):
                return False
            ExternalJob.objects.filter(remote_id=remote_id).delete()
    except IntegrityError:
        return False
    ingest.apply_pending(remote_id)
    return True


def _import_all(sent: dict[str, list[datetime]], now: datetime) -> None:
    """Import jobs recorded more than RESPONSE_TIMEOUT ago that cannot be any of our jobs of the last MATCH_PERIOD."""
    sending = Execution.objects.filter(remote_id=None, sent_at__isnull=False, ended_at=None).exclude(
        status=UNCONFIRMED
    )
    if sending.exists():
        return  # the response may name any of them
    ready = ExternalJob.objects.filter(is_past=False, seen_at__lt=now - RESPONSE_TIMEOUT).order_by("id")
    for external in islice((each for each in ready if not _owners(each, sent)), MAX_IMPORTS):
        import_one(external)


def import_one(external: ExternalJob) -> Execution | None:
    """Create our row of an external job; from now on it is polled like any other. None if it was imported already."""
    job = Execution(
        # Sorted in the history by its start, not by its import.
        id=ids.uuid7_at(int(external.started_before.timestamp() * 1000)),
        tool=external.tool,
        remote_id=external.remote_id,
        origin=Execution.Origin.EXTERNAL,
        created_at=external.started_before,
        accepted_at=external.started_before,
    )
    try:
        with transaction.atomic():
            status_machine.insert_external(job)
            external.delete()
    except IntegrityError:
        if not Execution.objects.filter(remote_id=external.remote_id).exists():
            logger.exception("The external job %s could not be imported", external.remote_id)
        return None  # otherwise another reconciler was faster
    ingest.apply_pending(external.remote_id)
    return job


def to_observation(answer: ToolExecution) -> observations.StatusReported:
    """The observation of a polled job, from its own response or from the list."""
    return observations.StatusReported(
        source=Source.POLL,
        # A finished job finished before the response; the time of the poll is the closest that we know.
        at=timezone.now(),
        status=answer.status,
        progress=answer.progress,
        attempt=answer.attempt,
        results=answer.results,
        error=errors.from_report(answer.error),
        answer=answer.raw,
    )
