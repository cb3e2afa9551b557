"""VideoGen's hourly limits as its answers tell them, kept where all processes see them, and what follows for starts.

A start that would certainly be refused is not sent: it waits until the hour begins anew. A batch leaves the last
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
# What changes between two writes of a group is of no use to anybody, unless little is left.
PAUSE = 1.0  # seconds
# Starts left for batches above which those under way, in all processes, need not be counted.
PLENTY = 100
# Two windows whose resets are closer than this are one: the reset is told in whole seconds.
SAME_WINDOW = timedelta(seconds=30)

_told: dict[tuple[str, str], tuple[float, RateLimit]] = {}


def reserve(limit: int) -> int:
    """Of an hour's starts, those that batches leave to single jobs."""
    return limit // 10


# --- learning ---------------------------------------------------------------------------------------------


async def learn() -> None:
    """Keep what the answers of this process said since the last time, if it is worth a write."""
    account, now = runtime.account_fingerprint(), time.monotonic()
    news = {
        group: told for group, told in runtime.client().limits.items() if _is_news(account, group, told, now)
    }
    if news:
        await runtime.in_db(keep, account, news)
        for group, told in news.items():
            _told[account, group] = (now, told)


def _is_news(account: str, group: str, told: RateLimit, now: float) -> bool:
    at, before = _told.get((account, group), (-PAUSE, None))
    if told == before:
        return False
    is_tight = (
        told.remaining is not None and told.limit is not None and told.remaining <= 2 * reserve(told.limit)
    )
    return is_tight or now - at >= PAUSE


def forget() -> None:
    """What this process has kept already, for tests."""
    _told.clear()


def keep(account: str, news: Mapping[str, RateLimit]) -> None:
    """Write what was told. Of one hour the lowest count stays, since answers overtake each other."""
    before = starts(account)
    for group, told in news.items():
        with transaction.atomic():
            window, is_new = RateWindow.objects.select_for_update().get_or_create(
                account=account, group=group, defaults=_columns(told)
            )
            if not is_new:
                RateWindow.objects.filter(pk=window.pk).update(**_columns(_later(window, told)))
    now = timezone.now()
    if before.opens_at(now, in_batch=True) != starts(account).opens_at(now, in_batch=True):
        queue_changed.send(sender=RateWindow)


def _columns(told: RateLimit) -> dict[str, object]:
    return {
        "limit": told.limit,
        "remaining": told.remaining,
        "reset_at": told.reset_at,
        "heard_at": timezone.now(),
    }


def _later(window: RateWindow, told: RateLimit) -> RateLimit:
    """Which of the two is so, the row or the news."""
    if window.reset_at is None or told.reset_at is None or window.reset_at <= timezone.now():
        return told
    if told.reset_at - window.reset_at > SAME_WINDOW or window.limit != told.limit:
        return told
    if window.reset_at - told.reset_at > SAME_WINDOW or window.remaining is None or told.remaining is None:
        return RateLimit(window.limit, window.remaining, window.reset_at)
    return RateLimit(told.limit, min(window.remaining, told.remaining), window.reset_at)


# --- what is known ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Known:
    """What is known about one group now. `remaining` is None when nothing was told that is still so."""

    group: str
    limit: int | None
    remaining: int | None
    reset_at: datetime | None
    heard_at: datetime | None

    @property
    def was_told(self) -> bool:
        """By an answer, rather than taken from VideoGen's documentation."""
        return self.heard_at is not None

    @property
    def used(self) -> int | None:
        return None if self.limit is None or self.remaining is None else max(0, self.limit - self.remaining)

    def opens_at(self, now: datetime, *, in_batch: bool = False) -> datetime | None:
        """When the next start may be sent, where it would be refused (or is not a batch's to take) now; else None."""
        if self.remaining is None or self.reset_at is None or self.reset_at <= now:
            return None
        kept = reserve(self.limit or 0) if in_batch else 0
        return self.reset_at if self.remaining <= kept else None


def starts(account: str | None = None) -> Known:
    """The limit of what is started."""
    mark = runtime.account_fingerprint() if account is None else account
    return _known(Group.TOOLS, RateWindow.objects.filter(account=mark, group=Group.TOOLS).first())


def overview() -> list[Known]:
    """Every group that is documented or was ever heard of, in the contract's order."""
    windows = {each.group: each for each in RateWindow.objects.filter(account=runtime.account_fingerprint())}
    names = [*DOCUMENTED, *(group for group in windows if group not in DOCUMENTED)]
    return [_known(group, windows.get(group)) for group in names]


def _known(group: str, window: RateWindow | None) -> Known:
    if window is None:
        return Known(group, DOCUMENTED.get(group), None, None, None)
    limit = window.limit if window.limit is not None else DOCUMENTED.get(group)
    if window.reset_at is not None and window.reset_at <= timezone.now():
        # That hour is over: the next one begins with the next call.
        return Known(group, limit, limit, None, window.heard_at)
    if window.reset_at is None and window.heard_at < timezone.now() - HOUR:
        return Known(group, limit, None, None, window.heard_at)
    return Known(group, limit, window.remaining, window.reset_at, window.heard_at)


# --- what follows -----------------------------------------------------------------------------------------


def hold_starts(now: datetime) -> int | None:
    """Let what would be refused wait until the hour begins anew: the due jobs are given that time.

    Returns how many starts of batches may be sent now; None where there are plenty.
    """
    known = starts()
    waiting = Execution.objects.due(now).to_send()
    single_until, batch_until = known.opens_at(now), known.opens_at(now, in_batch=True)
    if single_until is not None:
        waiting.update(next_attempt_at=single_until)
    elif batch_until is not None:
        waiting.filter(batch__isnull=False, hastened_at=None).update(next_attempt_at=batch_until)
    return _room(known, now)


def _room(known: Known, now: datetime) -> int | None:
    if known.remaining is None or known.reset_at is None or known.reset_at <= now:
        return None
    room = known.remaining - reserve(known.limit or 0)
    if room > PLENTY:
        return None
    # Those that are being sent are not in what the last answer told.
    under_way = Execution.objects.filter(status=QUEUED, leased_until__gt=now).count()
    return max(0, room - under_way)
