"""Jobs of the account that we did not start, as far as we know: whose are they?

A start whose answer was lost may be among them. It is matched by itself only when there is no choice: one such
job of that tool, begun in that minute, and one start that it can belong to. Otherwise the person links it. What
belongs to no start of ours was started elsewhere (by a script, or VideoGen's own tools), and is imported so that
the history is complete.
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
from executions.lifecycle import errors, observations
from executions.lifecycle import machine as lifecycle
from executions.models import Execution, Stranger, WebhookDelivery
from executions.models.event import Source
from executions.models.webhook_delivery import Outcome
from executions.policy import Action, Actor
from executions.statuses import UNCONFIRMED
from executions.videogen import ToolExecution, parse_event
from executions.webhooks import ingest

logger = logging.getLogger(__name__)

# How far from the moment of sending a job may have begun to be ours: clocks differ, and so do ways.
AROUND = timedelta(seconds=60)
# How far the clocks of our own machines may be apart.
CLOCKS = timedelta(seconds=2)
# An answer that names its job has come by then, or never will (leases.CALL_LIMIT).
SETTLED = timedelta(seconds=90)
# How long an unconfirmed job may still find its own.
OPEN = timedelta(days=1)
# At one time; the next look imports the rest.
MOST_IMPORTED = 500


# The row that says that the list was looked at before.
FIRST_LOOK = "-first-look"


@dataclass(frozen=True)
class Noted:
    fresh: int
    """Strangers that were not known before."""
    reached_past: bool
    """The list has been read down to what was there at the first look."""


def slug_of(tool_type: str) -> str:
    """The tool's slug; one that the catalogue lacks is named after its type."""
    known = tools.BY_TYPE.get(tool_type)
    return known.slug if known else (tool_type.lower().replace("_", "-") or "unknown")[:64]


def note(found: Sequence[ToolExecution], *, at: datetime, is_past: bool = False) -> Noted:
    """Write down which of these are strangers (newest start first, as the list has them).

    `at` is when the list was there, not when it was asked for: what began meanwhile may stand in it.
    `is_past` says that all of them stood there before we looked for the first time.
    """
    ids = [each.execution_id for each in found]
    rows = Execution.objects.filter(remote_id__in=ids).values_list("remote_id", "sent_at", "accepted_at")
    ours = {str(remote_id): (sent_at, accepted_at) for remote_id, sent_at, accepted_at in rows}
    known = {each.remote_id: each for each in Stranger.objects.filter(remote_id__in=ids)}
    after, before = bounds(ids, ours, at)
    fresh = []
    for each in found:
        row = known.get(each.execution_id)
        # What stands behind something past is past as well.
        is_past = is_past or (row is not None and row.is_past)
        if row is not None and row.status != each.status:
            Stranger.objects.filter(pk=row.pk).update(status=each.status)
        if row is None and not is_past and each.execution_id not in ours:
            fresh.append(_stranger(each, at, after[each.execution_id], before[each.execution_id]))
    Stranger.objects.bulk_create(fresh, ignore_conflicts=True)
    return Noted(len(fresh), is_past)


def _stranger(seen_there: ToolExecution, at: datetime, after: datetime | None, before: datetime) -> Stranger:
    return Stranger(
        remote_id=seen_there.execution_id,
        tool=slug_of(seen_there.tool_type),
        status=seen_there.status,
        seen_at=at,
        started_after=after,
        started_before=before,
    )


def begin(newest: Sequence[ToolExecution], *, at: datetime) -> None:
    """The first look at the list: what stands in it now is the account's past, and not imported."""
    ids = [each.execution_id for each in newest]
    ours = set(Execution.objects.filter(remote_id__in=ids).values_list("remote_id", flat=True))
    Stranger.objects.bulk_create(
        [
            Stranger(remote_id=FIRST_LOOK, tool="", status="", seen_at=at, started_before=at, is_past=True),
            *(
                Stranger(
                    remote_id=each.execution_id,
                    tool=slug_of(each.tool_type),
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


def has_begun() -> bool:
    return Stranger.objects.filter(remote_id=FIRST_LOOK).exists()


def bounds(
    ids: Sequence[str], ours: dict[str, tuple[datetime | None, datetime | None]], at: datetime
) -> tuple[dict[str, datetime | None], dict[str, datetime]]:
    """Between which of our own starts each stands in the list; `ours` tells when each was sent, and taken.

    A start began there after it was sent and before its answer: several may be under way at once, and overtake.
    """
    before: dict[str, datetime] = {}
    latest = at
    for each in ids:
        _, taken = ours.get(each, (None, None))
        latest = min(latest, taken or latest)
        before[each] = latest
    after: dict[str, datetime | None] = {}
    earliest: datetime | None = None
    for each in reversed(ids):
        sent, _ = ours.get(each, (None, None))
        if sent is not None:
            earliest = sent if earliest is None else max(earliest, sent)
        after[each] = earliest
    return after, before


def note_deliveries(now: datetime) -> None:
    """Ends that came by webhook for jobs that we do not know, and that no answer has claimed since."""
    long_ago = now - SETTLED
    claimed = Execution.objects.filter(remote_id=OuterRef("remote_execution_id"))
    known = Stranger.objects.filter(remote_id=OuterRef("remote_execution_id"))
    waiting = (
        WebhookDelivery.objects.filter(outcome=Outcome.UNKNOWN_JOB, received_at__lt=long_ago)
        .exclude(Exists(claimed))
        .exclude(Exists(known))
        .order_by("id")[:200]
    )
    for delivery in waiting:
        event = parse_event(bytes(delivery.body))
        Stranger.objects.get_or_create(
            remote_id=delivery.remote_execution_id,
            defaults={
                "tool": slug_of(event.tool_type),
                "status": ingest.STATUS_OF[event.event],
                "seen_at": delivery.received_at,
                "started_before": delivery.received_at,
            },
        )


def candidates(execution: Execution) -> list[Stranger]:
    """The strangers that an unconfirmed job may be, the likeliest (the latest that fits) first."""
    if execution.status != UNCONFIRMED or execution.sent_at is None:
        return []
    return list(_possible(execution.tool, execution.sent_at)[:20])


def _possible(tool: str, sent_at: datetime) -> QuerySet[Stranger]:
    return Stranger.objects.filter(
        Q(started_after=None) | Q(started_after__lte=sent_at + AROUND),
        tool=tool,
        is_past=False,
        started_before__gte=sent_at - CLOCKS,
    ).order_by("-started_before")


def settle(now: datetime) -> None:
    """Match what can only be one thing, and import what belongs to nobody here."""
    claimed = Execution.objects.filter(remote_id=OuterRef("remote_id"))
    Stranger.objects.filter(Exists(claimed)).delete()  # an answer has named them since
    note_deliveries(now)
    # Also a start whose answer is still awaited, or was cut off by a crash just now, may own a stranger.
    in_doubt = list(
        Execution.objects.filter(remote_id=None, ended_at=None, sent_at__gte=now - OPEN).order_by("id")
    )
    sent: dict[str, list[datetime]] = {}
    for job in in_doubt:
        assert job.sent_at is not None
        insort(sent.setdefault(job.tool, []), job.sent_at)
    for job in in_doubt:
        assert job.sent_at is not None
        if job.status != UNCONFIRMED:
            continue
        match list(_possible(job.tool, job.sent_at)[:2]):
            case [only] if _owners(only, sent) == 1 and _is_confined(only, job):
                link(job.pk, only.remote_id, actor=policy.SYSTEM, source=Source.POLL)
    if settings.IMPORT_ELSEWHERE:
        _import_all(sent, now)


def _owners(stranger: Stranger, sent: dict[str, list[datetime]]) -> int:
    """How many starts it can belong to; `sent` has their times by tool, in order. `_possible` seen from its side."""
    times = sent.get(stranger.tool, [])
    first = bisect_left(times, stranger.started_after - AROUND) if stranger.started_after else 0
    return max(0, bisect_right(times, stranger.started_before + CLOCKS) - first)


def _is_confined(stranger: Stranger, job: Execution) -> bool:
    """It is known to have begun in that minute, not only not known to have begun at another time."""
    assert job.sent_at is not None
    return (
        stranger.started_after is not None
        and stranger.started_after >= job.sent_at - AROUND
        and stranger.started_before <= job.sent_at + SETTLED + AROUND
    )


def link(execution_id: uuid.UUID, remote_id: str, *, actor: Actor, source: Source = Source.PERSON) -> bool:
    """Say that this unconfirmed job is that one there. False when it is settled already, or the other is taken."""
    job = Execution.objects.only("created_by").get(pk=execution_id)
    actor_id = policy.require(actor, Action.JOB_LINK, job)
    accepted = observations.Accepted(source=source, actor_id=actor_id, remote_id=remote_id, answer=None)
    try:
        with transaction.atomic():
            if not lifecycle.apply(execution_id, accepted):
                return False
            Stranger.objects.filter(remote_id=remote_id).delete()
    except IntegrityError:
        return False
    ingest.apply_waiting(remote_id)
    return True


def _import_all(sent: dict[str, list[datetime]], now: datetime) -> None:
    """What has been seen for a while and can be no start of ours, or of which nobody asks any more."""
    sending = Execution.objects.filter(remote_id=None, sent_at__isnull=False, ended_at=None).exclude(
        status=UNCONFIRMED
    )
    if sending.exists():
        return  # its answer may name any of them
    ready = Stranger.objects.filter(is_past=False, seen_at__lt=now - SETTLED).order_by("id")
    for stranger in islice((each for each in ready if not _owners(each, sent)), MOST_IMPORTED):
        import_one(stranger)


def import_one(stranger: Stranger) -> Execution | None:
    """A job of ours from now on, marked as started elsewhere; asked after like any other."""
    job = Execution(
        # It stands in the history where it began, not where we met it.
        id=ids.uuid7_at(int(stranger.started_before.timestamp() * 1000)),
        tool=stranger.tool,
        remote_id=stranger.remote_id,
        origin=Execution.Origin.ELSEWHERE,
        created_at=stranger.started_before,
        accepted_at=stranger.started_before,
    )
    try:
        with transaction.atomic():
            lifecycle.take_over(job)
            stranger.delete()
    except IntegrityError:
        return None  # another reconciler was faster
    ingest.apply_waiting(stranger.remote_id)
    return job


def report_of(answer: ToolExecution) -> observations.StatusReported:
    """An answer to a poll, alone or in a list, as the lifecycle takes it."""
    return observations.StatusReported(
        source=Source.POLL,
        # An end is only known to lie before the answer; the moment of asking is the nearest we have.
        at=timezone.now(),
        status=answer.status,
        progress=answer.progress,
        attempt=answer.attempt,
        results=answer.results,
        error=errors.of_report(answer.error),
        answer=answer.raw,
    )
