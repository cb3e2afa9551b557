"""The closing of a day: our jobs of that day against the account's list, and every difference by name.

The list names no times and has the newest start first. A job of ours belongs to the day in which VideoGen took it.
What we do not know stands in the list between jobs of ours, and belongs to the day when both of its neighbours do;
where that leaves a doubt, the difference says so. Days are UTC days.
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
from executions.lifecycle import leases
from executions.lifecycle import machine as lifecycle
from executions.limits import api_health, poll_budget
from executions.models import DayClosing, Execution, Stranger
from executions.models.daily_reconciliation import RETRY_AFTER
from executions.models.event import ActKind
from executions.policy import Action, Actor
from executions.statuses import TERMINAL, UNCONFIRMED
from executions.sync import external_jobs
from executions.sync.list_poller import MOST_PAGES
from executions.videogen import NotFound, ToolExecution, VideoGenError

logger = logging.getLogger(__name__)

DAY = timedelta(days=1)
# A day is closed so long after its end: what ended late has been told by then.
LATER = timedelta(minutes=30)
EARLIEST = 2020
# How many days back a closing that was missed is made up for.
MISSED = 7
# Jobs stand in the list in the order in which they came there; answers come back in nearly the same.
ORDER = timedelta(minutes=10)
# More differences than anybody reads one by one.
MOST_KEPT = 500

NO_LIST = (
    "This version of the API has no list of executions, so there is nothing to compare with: "
    "the figure is our own side alone."
)

MISSING, UNKNOWN, EDGE, STATUS, UNSURE = (
    "missing there",
    "unknown here",
    "at the edge",
    "status",
    "unconfirmed",
)
ADVICE = {
    MISSING: "VideoGen's list does not name it. Open it; if it still runs, wait for its end, else ask VideoGen with its id.",
    UNKNOWN: "It was started elsewhere, or by a start whose answer was lost. It is imported within minutes, unless "
    "IMPORT_ELSEWHERE is off; look whether an unconfirmed job of that day is this one.",
    EDGE: "It stands between this day and another, and the list names no times: it may belong to either.",
    STATUS: "Both have ended, and differently. The first end that we heard of stays; compare the answers on its page.",
    UNSURE: "Its answer was lost. Link it with one of the account's jobs, or start it again knowingly.",
}


class CannotClose(ValueError):
    """A day that has not ended, or that lies before VideoGen; the message says so."""


@dataclass(frozen=True)
class Difference:
    kind: str
    remote_id: str = ""
    job: str = ""
    """Our id; empty where we have none."""
    tool: str = ""
    here: str = ""
    there: str = ""

    @property
    def advice(self) -> str:
        return ADVICE[self.kind]


@dataclass(frozen=True)
class Ours:
    """What we have of an execution that stands in the list."""

    pk: str
    tool: str
    status: str
    accepted_at: datetime


async def close(day: date, *, actor: Actor) -> DayClosing:
    """Close a day, or close it anew. Raises CannotClose. What the API refuses is said in the closing's `problem`."""
    actor_id = await runtime.in_db(policy.require, actor, Action.DAY_RECONCILE)
    if day.year < EARLIEST:
        raise CannotClose(f"There was no VideoGen in {day.year}.")
    if day >= timezone.now().date():
        raise CannotClose(f"{day:%-d %B %Y} is not over yet (in UTC).")
    row = await runtime.in_db(_claim, day, anew=True)
    assert row is not None
    return await _close(row, actor_id)


async def close_due() -> None:
    """Close every day whose time has come, and that nobody else is closing."""
    for day in await runtime.in_db(due_days):
        try:
            row = await runtime.in_db(_claim, day)
            if row is not None:
                await _close(row, None)
        except DatabaseError:
            raise
        except Exception:
            # The days after it are none the worse for that.
            logger.exception("%s could not be closed, and is tried again", day)


def bounds(day: date) -> tuple[datetime, datetime]:
    begin = datetime.combine(day, time.min, UTC)
    return begin, begin + DAY


def due_days() -> list[date]:
    """The last days that are over and not closed, since there have been jobs, the oldest first."""
    first = Execution.objects.filter(accepted_at__isnull=False).order_by("accepted_at").first()
    if first is None or first.accepted_at is None:
        return []
    over = (timezone.now() - LATER).date()
    days = [over - timedelta(days=back) for back in range(MISSED, 0, -1)]
    closed = set(
        DayClosing.objects.filter(day__in=days, closed_at__isnull=False).values_list("day", flat=True)
    )
    return [day for day in days if day not in closed and day >= first.accepted_at.date()]


def _claim(day: date, *, anew: bool = False) -> DayClosing | None:
    """The day's row, for whoever made it, or came after somebody who did not finish."""
    row, is_new = DayClosing.objects.get_or_create(day=day, defaults={"began_at": timezone.now()})
    if is_new or anew:
        return row
    return row if DayClosing.objects.filter(pk=row.pk).take(RETRY_AFTER) else None


async def _close(row: DayClosing, actor_id: int | None) -> DayClosing:
    try:
        listed = await _read(row.day)
    except NotFound:
        return await runtime.in_db(_finish, row.pk, None, NO_LIST, actor_id)
    except (VideoGenError, TimeoutError) as error:
        words = getattr(error, "message", "") or "VideoGen did not answer in time."
        return await runtime.in_db(_put_off, row.pk, f"The list could not be read: {words}")
    return await runtime.in_db(_finish, row.pk, listed, "", actor_id)


async def _read(day: date) -> list[ToolExecution]:
    """The account's list from its top down to before that day. Raises VideoGenError, TimeoutError."""
    long_before = bounds(day)[0] - ORDER
    listed: list[ToolExecution] = []
    cursor = None
    for _ in range(MOST_PAGES):
        if not await poll_budget.shared.spend():
            raise VideoGenError("the calls of this hour are used up; it is tried again.")
        try:
            async with asyncio.timeout(leases.CALL_LIMIT):
                page = await runtime.client().list_executions(cursor=cursor)
        except VideoGenError as error:
            await api_health.heard_error(error)
            raise
        await api_health.heard_well()
        listed += page.items
        cursor = page.next_cursor
        if not cursor or await runtime.in_db(_reaches, page.items, long_before):
            break
    return listed


def _reaches(found: Sequence[ToolExecution], moment: datetime) -> bool:
    """Whether one of these is a job of ours from before that moment."""
    ids = [each.execution_id for each in found]
    return Execution.objects.filter(remote_id__in=ids, accepted_at__lt=moment).exists()


def _put_off(pk: int, problem: str) -> DayClosing:
    DayClosing.objects.filter(pk=pk).update(problem=problem[:500])
    return DayClosing.objects.get(pk=pk)


def _finish(
    pk: int, listed: Sequence[ToolExecution] | None, problem: str, actor_id: int | None
) -> DayClosing:
    row = DayClosing.objects.get(pk=pk)
    if listed is not None:
        _catch_up(listed)
    here, there, differences = compare(row.day, listed)
    if len(differences) > MOST_KEPT:
        problem = (
            f"{problem} There are {len(differences):,} differences; the first {MOST_KEPT} are kept.".strip()
        )
    row.here, row.there, row.problem = here, there, problem[:500]
    row.differences = [asdict(each) for each in differences[:MOST_KEPT]]
    row.closed_at, row.closed_by_id = timezone.now(), actor_id
    with transaction.atomic():
        row.save()
        audit_log.record(
            ActKind.DAY_CLOSED,
            actor_id=actor_id,
            subject=row,
            day=row.day.isoformat(),
            here=here,
            there=there,
            differences=len(differences),
        )
    return row


def _catch_up(listed: Iterable[ToolExecution]) -> None:
    """An end that the list tells and we have not heard of is taken over, as from any other answer."""
    ended = {each.execution_id: each for each in listed if each.status in TERMINAL}
    open_here = Execution.objects.filter(ended_at=None, remote_id__isnull=False).values_list(
        "remote_id", "pk"
    )
    for remote_id, pk in list(open_here):
        if str(remote_id) in ended:
            lifecycle.apply(pk, external_jobs.report_of(ended[str(remote_id)]))


# --- the comparison ---------------------------------------------------------------------------------------


def compare(day: date, listed: Sequence[ToolExecution] | None) -> tuple[int, int | None, list[Difference]]:
    """(jobs of the day here, there, what differs); `listed` None: the account has no list."""
    begin, end = bounds(day)
    of_day = Execution.objects.filter(accepted_at__gte=begin, accepted_at__lt=end, remote_id__isnull=False)
    ours = {str(row[0]): Ours(str(row[1]), *row[2:]) for row in of_day.values_list(*_COLUMNS)}
    lost = Execution.objects.filter(status=UNCONFIRMED, sent_at__gte=begin, sent_at__lt=end).order_by("id")
    differences = [
        Difference(UNSURE, job=str(job.pk), tool=job.tool, here=job.status) for job in lost[:MOST_KEPT]
    ]
    if listed is None:
        return len(ours), None, differences
    there = {each.execution_id: each for each in listed}
    for remote_id, mine in ours.items():
        told = there.get(remote_id)
        if told is None:
            differences.append(Difference(MISSING, remote_id, mine.pk, mine.tool, mine.status))
        elif mine.status != told.status and {mine.status, told.status} & TERMINAL:
            differences.append(Difference(STATUS, remote_id, mine.pk, mine.tool, mine.status, told.status))
    certain, doubtful = _unknown(listed, begin, end)
    differences += [_stranger(UNKNOWN, each) for each in certain] + [
        _stranger(EDGE, each) for each in doubtful
    ]
    return len(ours), len(ours.keys() & there.keys()) + len(certain), differences


_COLUMNS = ("remote_id", "pk", "tool", "status", "accepted_at")


def _stranger(kind: str, each: ToolExecution) -> Difference:
    return Difference(kind, each.execution_id, tool=external_jobs.slug_of(each.tool_type), there=each.status)


def _unknown(
    listed: Sequence[ToolExecution], begin: datetime, end: datetime
) -> tuple[list[ToolExecution], list[ToolExecution]]:
    """What stands in the list and is no job of ours: what began in that time for certain, and what may have."""
    ids = [each.execution_id for each in listed]
    known: dict[str, tuple[datetime | None, datetime | None]] = {}
    strangers: dict[str, Stranger] = {}
    for first in range(0, len(ids), 500):
        some = ids[first : first + 500]
        rows = Execution.objects.filter(remote_id__in=some, accepted_at__isnull=False)
        times = rows.values_list("remote_id", "sent_at", "accepted_at")
        known |= {str(remote_id): (sent_at, accepted_at) for remote_id, sent_at, accepted_at in times}
        strangers |= {each.remote_id: each for each in Stranger.objects.filter(remote_id__in=some)}
    taken = set(known) | _without_a_time(ids)
    after, before = external_jobs.bounds(ids, known, timezone.now())
    certain: list[ToolExecution] = []
    doubtful: list[ToolExecution] = []
    for each in listed:
        stranger = strangers.get(each.execution_id)
        if stranger is not None and stranger.is_past:
            # From here on the list tells the account's past, before Rushes looked at it for the first time.
            break
        if each.execution_id in taken:
            continue
        earliest, latest = after[each.execution_id], before[each.execution_id]
        if stranger is not None:
            latest = min(latest, stranger.started_before)
            earliest = max(filter(None, (earliest, stranger.started_after)), default=None)
        if latest < begin or (earliest is not None and earliest >= end):
            continue
        is_certain = earliest is not None and earliest >= begin and latest < end
        (certain if is_certain else doubtful).append(each)
    return certain, doubtful


def _without_a_time(ids: Sequence[str]) -> set[str]:
    """Jobs of ours of which it is not known when VideoGen took them."""
    return {
        str(remote_id)
        for first in range(0, len(ids), 500)
        for remote_id in Execution.objects.filter(
            remote_id__in=ids[first : first + 500], accepted_at=None
        ).values_list("remote_id", flat=True)
    }


def differences_of(row: DayClosing) -> list[Difference]:
    return [Difference(**kept) for kept in row.differences]


def told(row: DayClosing) -> str:
    """The outcome in a sentence."""
    if row.closed_at is None:
        return row.problem or "It is being closed."
    if row.there is None:
        return f"{row.here:,} here. {row.problem}".strip()
    figures = f"{row.there:,} there, {row.here:,} here"
    count = len(row.differences)
    return f"{figures}: {count} difference{'' if count == 1 else 's'}." if count else f"{figures}."
