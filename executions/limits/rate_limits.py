"""VideoGen's hourly rate limits as its responses report them, stored for all processes, and their effect on starts.

A start that VideoGen would certainly reject is not sent: it stays queued until the limit resets. Batches leave the last
tenth of an hour's starts to single jobs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from executions.core import runtime
from executions.models import Execution, RateWindow
from executions.signals import queue_changed
from executions.statuses import QUEUED
from executions.videogen import Group, RateLimit

HOUR = timedelta(hours=1)
# The documented limits, used until a response reports them. Source: docs/api-notes.md#rate-limits
DOCUMENTED: dict[str, int] = {
    Group.TOOLS: 500,
    Group.EXECUTION: 5000,
    Group.CANCEL: 250,
    Group.FILES: 50_000,
    Group.HYDRATE: 2500,
    Group.UPLOAD: 500,
    Group.SEARCH: 500,
    Group.RESOURCES: 2500,
    Group.ENDPOINTS: 500,
    Group.CREATE_ENDPOINT: 10,
    Group.DELETE_ENDPOINT: 10,
}
# Seconds between two writes of a group's limit, unless few calls are left.
WRITE_INTERVAL = 1.0
# With more starts left for batches than this, neither starts in progress nor each response need be counted.
EXACT_BELOW = 100
# Two windows whose resets are closer than this are the same: resets are reported in whole seconds.
SAME_WINDOW = timedelta(seconds=30)

# (account, group) -> time of the last write (monotonic), and the limit written.
_stored: dict[tuple[str, str], tuple[float, RateLimit]] = {}


def reserve(limit: int) -> int:
    """The starts per hour that batches leave to single jobs."""
    return limit // 10


# --- recording --------------------------------------------------------------------------------------------


async def record() -> None:
    """Store the limits that responses to this process reported since the last call, if they are worth a write."""
    account, now = runtime.account_fingerprint(), time.monotonic()
    reported = {
        group: limit
        for group, limit in runtime.client().limits.items()
        if _is_worth_a_write(account, group, limit, now)
    }
    if reported:
        await runtime.in_db(store, account, reported)
        for group, limit in reported.items():
            _stored[account, group] = (now, limit)


def _is_worth_a_write(account: str, group: str, reported: RateLimit, now: float) -> bool:
    written_at, before = _stored.get((account, group), (-WRITE_INTERVAL, None))
    if reported == before:
        return False
    # Starts in progress are counted on top of the stored count, which must then be exact.
    is_low = (
        reported.remaining is not None
        and reported.limit is not None
        and reported.remaining - reserve(reported.limit) <= EXACT_BELOW
    )
    return is_low or now - written_at >= WRITE_INTERVAL


def forget() -> None:
    """Forget which limits this process has stored, for tests."""
    _stored.clear()


def store(account: str, limits: Mapping[str, RateLimit]) -> None:
    """Write reported limits by group. Within one hour the lowest count wins, since responses may arrive out of order."""
    before = starts(account)
    for group, reported in limits.items():
        with transaction.atomic():
            window, is_new = RateWindow.objects.select_for_update().get_or_create(
                account=account, group=group, defaults=_columns(reported)
            )
            if not is_new:
                RateWindow.objects.filter(pk=window.pk).update(**_columns(_merged(window, reported)))
    now = timezone.now()
    if before.opens_at(now, in_batch=True) != starts(account).opens_at(now, in_batch=True):
        queue_changed.send(sender=RateWindow)


def _columns(limit: RateLimit) -> dict[str, object]:
    return {
        "limit": limit.limit,
        "remaining": limit.remaining,
        "reset_at": limit.reset_at,
        "reported_at": timezone.now(),
    }


def _merged(window: RateWindow, reported: RateLimit) -> RateLimit:
    """The current limit, from the stored window and a newly reported limit, which may be older."""
    if window.reset_at is None or reported.reset_at is None or window.reset_at <= timezone.now():
        return reported
    if reported.reset_at - window.reset_at > SAME_WINDOW or window.limit != reported.limit:
        return reported
    is_older = window.reset_at - reported.reset_at > SAME_WINDOW
    if is_older or window.remaining is None or reported.remaining is None:
        return RateLimit(window.limit, window.remaining, window.reset_at)
    return RateLimit(reported.limit, min(window.remaining, reported.remaining), window.reset_at)


# --- reading ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LimitState:
    """The current state of one group's limit. `remaining` is None if no reported count is still valid."""

    group: str
    limit: int | None
    remaining: int | None
    reset_at: datetime | None
    reported_at: datetime | None

    @property
    def is_reported(self) -> bool:
        """True if a response reported the limit, False if it comes from VideoGen's documentation."""
        return self.reported_at is not None

    @property
    def used(self) -> int | None:
        return None if self.limit is None or self.remaining is None else max(0, self.limit - self.remaining)

    def opens_at(self, now: datetime, *, in_batch: bool = False) -> datetime | None:
        """When the next start may be sent; None if it may be sent now. Batches must leave `reserve` starts."""
        if self.remaining is None or self.reset_at is None or self.reset_at <= now:
            return None
        reserved = reserve(self.limit or 0) if in_batch else 0
        return self.reset_at if self.remaining <= reserved else None


def starts(account: str | None = None) -> LimitState:
    """The limit of starts, by default of the current account."""
    account = runtime.account_fingerprint() if account is None else account
    return _state(Group.TOOLS, RateWindow.objects.filter(account=account, group=Group.TOOLS).first())


def overview() -> list[LimitState]:
    """All groups that are documented or were ever reported, in the order of the documentation."""
    windows = {each.group: each for each in RateWindow.objects.filter(account=runtime.account_fingerprint())}
    names = [*DOCUMENTED, *(group for group in windows if group not in DOCUMENTED)]
    return [_state(group, windows.get(group)) for group in names]


def _state(group: str, window: RateWindow | None) -> LimitState:
    if window is None:
        return LimitState(group, DOCUMENTED.get(group), None, None, None)
    limit = window.limit if window.limit is not None else DOCUMENTED.get(group)
    if window.reset_at is not None and window.reset_at <= timezone.now():
        # The window is over. The next one starts with the next call.
        return LimitState(group, limit, limit, None, window.reported_at)
    if window.reset_at is None and window.reported_at < timezone.now() - HOUR:
        return LimitState(group, limit, None, None, window.reported_at)
    return LimitState(group, limit, window.remaining, window.reset_at, window.reported_at)


# --- effect on starts -------------------------------------------------------------------------------------


def hold_starts(now: datetime) -> int | None:
    """Reschedule due starts that VideoGen would reject to the time when the limit resets.

    Returns the number of batch starts that may be sent now, or None if there are plenty.
    """
    state = starts()
    due = Execution.objects.due(now).to_send()
    single_until, batch_until = state.opens_at(now), state.opens_at(now, in_batch=True)
    if single_until is not None:
        due.update(next_attempt_at=single_until)
    elif batch_until is not None:
        due.filter(batch__isnull=False, prioritised_at=None).update(next_attempt_at=batch_until)
    return _batch_starts_left(state, now)


def _batch_starts_left(state: LimitState, now: datetime) -> int | None:
    if state.remaining is None or state.reset_at is None or state.reset_at <= now:
        return None
    left = state.remaining - reserve(state.limit or 0)
    if left > EXACT_BELOW:
        return None
    # The last reported count does not include starts that are being sent now, by any process.
    in_progress = Execution.objects.filter(status=QUEUED, leased_until__gt=now).count()
    return max(0, left - in_progress)
