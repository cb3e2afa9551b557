"""The daily reconciliation: compares our jobs of a day with the account's list and reports each difference.

The list has no times and is sorted by start, newest first. Our jobs belong to the day on which VideoGen accepted
them. An unknown job is listed between two of our jobs and belongs to a day if both neighbours do; otherwise the
difference is reported as uncertain. Days are UTC days.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import DatabaseError, transaction
from django.utils import timezone

from executions import policy
from executions.audit import record as audit_log
from executions.core import runtime
from executions.lifecycle import leases, status_machine
from executions.limits import api_health, poll_budget
from executions.models import DailyReconciliation, Execution, ExternalJob
from executions.models.daily_reconciliation import RETRY_AFTER
from executions.models.event import ActKind
from executions.policy import Action, Actor
from executions.statuses import TERMINAL, UNCONFIRMED
from executions.sync import external_jobs
from executions.sync.list_poller import MAX_PAGES
from executions.videogen import NotFound, ToolExecution, VideoGenError

logger = logging.getLogger(__name__)

DAY = timedelta(days=1)
# Time after the end of a day, so that late results have been reported.
SETTLING_TIME = timedelta(minutes=30)
FIRST_YEAR = 2020
# Days to go back for a missed reconciliation.
CATCH_UP_DAYS = 7
# The list is in VideoGen's order of arrival. Our `accepted_at` may differ from that order by this much.
ORDER_TOLERANCE = timedelta(minutes=10)
# Differences stored per day.
MAX_DIFFERENCES = 500

NO_LIST = "This API version has no list of executions to compare with. The figure counts our jobs only."

MISSING, UNKNOWN, EDGE, STATUS, UNSURE = (
    "missing there",
    "unknown here",
    "at the edge",
    "status",
    "unconfirmed",
)
ADVICE = {
    MISSING: "Not in VideoGen's list. Open it: if it is running, wait until it finishes; otherwise contact VideoGen.",
    UNKNOWN: "Started outside Rushes, or by a request whose response was lost. It is imported within minutes, unless "
    "IMPORT_ELSEWHERE is off. Check whether it is one of that day's unconfirmed jobs.",
    EDGE: "Listed between this day and another. The list has no times, so it may belong to either.",
    STATUS: "Finished with different statuses. Rushes keeps the first one; compare the responses on its page.",
    UNSURE: "The response was lost. Link it to one of the account's jobs, or start it again.",
}


class CannotReconcile(ValueError):
    """The day is not over, or is before VideoGen existed. The message says which."""


@dataclass(frozen=True)
class Difference:
    kind: str
    remote_id: str = ""
    job: str = ""
    """Our id; empty if we do not have the job."""
    tool: str = ""
    here: str = ""
    there: str = ""

    @property
    def advice(self) -> str:
        return ADVICE[self.kind]


@dataclass(frozen=True)
class LocalJob:
    """Our side of a listed execution."""

    pk: str
    tool: str
    status: str
    accepted_at: datetime


async def reconcile_day(day: date, *, actor: Actor) -> DailyReconciliation:
    """Reconcile a day, or do so again. Raises CannotReconcile. API errors are stored in the row's `problem`."""
    actor_id = await runtime.in_db(policy.require, actor, Action.DAY_RECONCILE)
    if day.year < FIRST_YEAR:
        raise CannotReconcile(f"VideoGen did not exist in {day.year}.")
    if day >= timezone.now().date():
        raise CannotReconcile(f"{day:%-d %B %Y} is not over yet (in UTC).")
    row = await runtime.in_db(_claim, day, again=True)
    assert row is not None
    return await _reconcile(row, actor_id)


async def reconcile_due_days() -> None:
    """Reconcile every due day that no other worker is reconciling."""
    for day in await runtime.in_db(due_days):
        try:
            row = await runtime.in_db(_claim, day)
            if row is not None:
                await _reconcile(row, None)
        except DatabaseError:
            raise
        except Exception:
            # Continue with the next days.
            logger.exception("Could not reconcile %s, will retry", day)


def day_bounds(day: date) -> tuple[datetime, datetime]:
    begin = datetime.combine(day, time.min, UTC)
    return begin, begin + DAY


def due_days() -> list[date]:
    """Recent days that are over and not reconciled, oldest first; none before the first job."""
    first = Execution.objects.filter(accepted_at__isnull=False).order_by("accepted_at").first()
    if first is None or first.accepted_at is None:
        return []
    over = (timezone.now() - SETTLING_TIME).date()
    days = [over - timedelta(days=back) for back in range(CATCH_UP_DAYS, 0, -1)]
    closed = set(
        DailyReconciliation.objects.filter(day__in=days, reconciled_at__isnull=False).values_list(
            "day", flat=True
        )
    )
    return [day for day in days if day not in closed and day >= first.accepted_at.date()]


def _claim(day: date, *, again: bool = False) -> DailyReconciliation | None:
    """The day's row, if this call created it or took it over from a worker that did not finish."""
    row, is_new = DailyReconciliation.objects.get_or_create(day=day, defaults={"began_at": timezone.now()})
    if is_new or again:
        return row
    return row if DailyReconciliation.objects.filter(pk=row.pk).claim_all(RETRY_AFTER) else None


async def _reconcile(row: DailyReconciliation, actor_id: int | None) -> DailyReconciliation:
    try:
        listed = await _read(row.day)
    except NotFound:
        return await runtime.in_db(_finish, row.pk, None, NO_LIST, actor_id)
    except (VideoGenError, TimeoutError) as error:
        reason = getattr(error, "message", "") or "VideoGen did not respond in time."
        return await runtime.in_db(_postpone, row.pk, f"The list could not be read: {reason}")
    return await runtime.in_db(_finish, row.pk, listed, "", actor_id)


async def _read(day: date) -> list[ToolExecution]:
    """The account's list, from its newest job back to before that day. Raises VideoGenError, TimeoutError."""
    cutoff = day_bounds(day)[0] - ORDER_TOLERANCE
    listed: list[ToolExecution] = []
    cursor = None
    for _ in range(MAX_PAGES):
        if not await poll_budget.shared.spend():
            raise VideoGenError("this hour's calls are used up. Rushes will retry.")
        try:
            async with asyncio.timeout(leases.CALL_LIMIT):
                page = await runtime.client().list_executions(cursor=cursor)
        except VideoGenError as error:
            await api_health.record_error(error)
            raise
        await api_health.record_success()
        listed += page.items
        cursor = page.next_cursor
        if not cursor or await runtime.in_db(_extends_before, page.items, cutoff):
            break
    return listed


def _extends_before(found: Sequence[ToolExecution], moment: datetime) -> bool:
    """Whether one of these is our job and was accepted before `moment`."""
    ids = [each.execution_id for each in found]
    return Execution.objects.filter(remote_id__in=ids, accepted_at__lt=moment).exists()


def _postpone(pk: int, problem: str) -> DailyReconciliation:
    DailyReconciliation.objects.filter(pk=pk).update(problem=problem[:500])
    return DailyReconciliation.objects.get(pk=pk)


def _finish(
    pk: int, listed: Sequence[ToolExecution] | None, problem: str, actor_id: int | None
) -> DailyReconciliation:
    row = DailyReconciliation.objects.get(pk=pk)
    if listed is not None:
        _catch_up(listed)
    here, there, differences = compare(row.day, listed)
    if len(differences) > MAX_DIFFERENCES:
        problem = f"{problem} There are {len(differences):,} differences; only the first {MAX_DIFFERENCES} are stored.".strip()
    row.here, row.there, row.problem = here, there, problem[:500]
    row.differences = [asdict(each) for each in differences[:MAX_DIFFERENCES]]
    row.reconciled_at, row.reconciled_by_id = timezone.now(), actor_id
    with transaction.atomic():
        row.save()
        audit_log.record(
            ActKind.DAY_RECONCILED,
            actor_id=actor_id,
            subject=row,
            day=row.day.isoformat(),
            here=here,
            there=there,
            differences=len(differences),
        )
    return row


def _catch_up(listed: Iterable[ToolExecution]) -> None:
    """Apply final statuses from the list that have not been reported to us, as from any other response."""
    ended = {each.execution_id: each for each in listed if each.status in TERMINAL}
    open_here = Execution.objects.filter(ended_at=None, remote_id__isnull=False).values_list(
        "remote_id", "pk"
    )
    for remote_id, pk in list(open_here):
        if str(remote_id) in ended:
            status_machine.apply(pk, external_jobs.to_observation(ended[str(remote_id)]))


# --- the comparison ---------------------------------------------------------------------------------------


def compare(day: date, listed: Sequence[ToolExecution] | None) -> tuple[int, int | None, list[Difference]]:
    """(our jobs of the day, VideoGen's jobs of the day, differences). `listed` None: the account has no list."""
    begin, end = day_bounds(day)
    of_day = Execution.objects.filter(accepted_at__gte=begin, accepted_at__lt=end, remote_id__isnull=False)
    ours = {str(row[0]): LocalJob(str(row[1]), *row[2:]) for row in of_day.values_list(*_COLUMNS)}
    lost = Execution.objects.filter(status=UNCONFIRMED, sent_at__gte=begin, sent_at__lt=end).order_by("id")
    differences = [
        Difference(UNSURE, job=str(job.pk), tool=job.tool, here=job.status) for job in lost[:MAX_DIFFERENCES]
    ]
    if listed is None:
        return len(ours), None, differences
    there = {each.execution_id: each for each in listed}
    for remote_id, mine in ours.items():
        theirs = there.get(remote_id)
        if theirs is None:
            differences.append(Difference(MISSING, remote_id, mine.pk, mine.tool, mine.status))
        elif mine.status != theirs.status and {mine.status, theirs.status} & TERMINAL:
            differences.append(Difference(STATUS, remote_id, mine.pk, mine.tool, mine.status, theirs.status))
    certain, doubtful = _unknown(listed, begin, end)
    differences += [_unlinked(UNKNOWN, each) for each in certain] + [
        _unlinked(EDGE, each) for each in doubtful
    ]
    return len(ours), len(ours.keys() & there.keys()) + len(certain), differences


_COLUMNS = ("remote_id", "pk", "tool", "status", "accepted_at")


def _unlinked(kind: str, each: ToolExecution) -> Difference:
    return Difference(
        kind, each.execution_id, tool=external_jobs.tool_slug(each.tool_type), there=each.status
    )


def _unknown(
    listed: Sequence[ToolExecution], begin: datetime, end: datetime
) -> tuple[list[ToolExecution], list[ToolExecution]]:
    """Listed jobs that are not ours: those that certainly started between `begin` and `end`, and those that may have."""
    ids = [each.execution_id for each in listed]
    known: dict[str, tuple[datetime | None, datetime | None]] = {}
    externals: dict[str, ExternalJob] = {}
    for first in range(0, len(ids), 500):
        some = ids[first : first + 500]
        rows = Execution.objects.filter(remote_id__in=some, accepted_at__isnull=False)
        times = rows.values_list("remote_id", "sent_at", "accepted_at")
        known |= {str(remote_id): (sent_at, accepted_at) for remote_id, sent_at, accepted_at in times}
        externals |= {each.remote_id: each for each in ExternalJob.objects.filter(remote_id__in=some)}
    taken = set(known) | _ids_without_time(ids)
    after, before = external_jobs.start_bounds(ids, known, timezone.now())
    certain: list[ToolExecution] = []
    doubtful: list[ToolExecution] = []
    for each in listed:
        external = externals.get(each.execution_id)
        if external is not None and external.is_past:
            # The rest of the list is older than the first time that Rushes read it.
            break
        if each.execution_id in taken:
            continue
        earliest, latest = after[each.execution_id], before[each.execution_id]
        if external is not None:
            latest = min(latest, external.started_before)
            earliest = max(filter(None, (earliest, external.started_after)), default=None)
        if latest < begin or (earliest is not None and earliest >= end):
            continue
        is_certain = earliest is not None and earliest >= begin and latest < end
        (certain if is_certain else doubtful).append(each)
    return certain, doubtful


def _ids_without_time(ids: Sequence[str]) -> set[str]:
    """Our jobs whose time of acceptance is unknown."""
    return {
        str(remote_id)
        for first in range(0, len(ids), 500)
        for remote_id in Execution.objects.filter(
            remote_id__in=ids[first : first + 500], accepted_at=None
        ).values_list("remote_id", flat=True)
    }


def differences_of(row: DailyReconciliation) -> list[Difference]:
    return [Difference(**kept) for kept in row.differences]


def summary(row: DailyReconciliation) -> str:
    """The outcome as a message."""
    if row.reconciled_at is None:
        return row.problem or "Reconciling…"
    if row.there is None:
        return f"{row.here:,} here. {row.problem}".strip()
    figures = f"{row.there:,} there, {row.here:,} here"
    count = len(row.differences)
    return f"{figures}: {count} difference{'' if count == 1 else 's'}." if count else f"{figures}."
