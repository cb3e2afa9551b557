"""How many calls we may make to ask after things: one budget for each key, shared by all processes (docs/api-notes.md#polling)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from executions.core import runtime
from executions.models import CallBudget

# GETs an hour for the whole account; the limit is 5,000.
HOURLY_BUDGET = 4000
RESERVE = 400
# A process draws so many at once from the common budget, to spend them without asking the database each time.
CHUNK = 25
# A clock that is so far behind the last count was put back.
STEP = timedelta(minutes=1)


class Budget:
    """A bucket of calls: a full hour's worth flows in evenly, and it holds a reserve for bursts."""

    def __init__(self, hourly: int = HOURLY_BUDGET, reserve: int = RESERVE) -> None:
        self.rate = hourly / 3600
        self.reserve = float(reserve)
        self.left = self.reserve
        self.counted_at = time.monotonic()

    async def refill(self) -> None:
        """Have calls at hand, if there are any. Before `ready` and `take`."""

    def ready(self) -> int:
        """How many calls could be made now."""
        now = time.monotonic()
        self.left = min(self.reserve, self.left + (now - self.counted_at) * self.rate)
        self.counted_at = now
        return int(self.left)

    def take(self) -> bool:
        if self.ready() < 1:
            return False
        self.left -= 1
        return True


class SharedBudget(Budget):
    """The same, with the bucket in the database: however many processes there are, they have one together."""

    def __init__(self, hourly: int = HOURLY_BUDGET, reserve: int = RESERVE) -> None:
        super().__init__(hourly, reserve)
        self.hourly = hourly
        self.left = 0.0  # what this process has drawn and not spent
        self._account = ""
        self._dry_until = 0.0  # monotonic: an empty bucket is not looked into again at once

    async def refill(self) -> None:
        now, account = time.monotonic(), runtime.account_fingerprint()
        if account != self._account:
            # What was drawn for one key is not another's.
            self._account, self.left, self._dry_until = account, 0.0, 0.0
        if self.left < 1 and now >= self._dry_until:
            self.left += await runtime.in_db(draw, CHUNK, self.hourly, int(self.reserve))
            self._dry_until = now + 1.0 if self.left < 1 else 0.0

    def ready(self) -> int:
        return int(self.left)

    async def spend(self) -> bool:
        """Take one call, if there is one."""
        await self.refill()
        return self.take()


# This process's part of it.
shared = SharedBudget()


def draw(wanted: int, hourly: int = HOURLY_BUDGET, reserve: int = RESERVE) -> int:
    """Take up to `wanted` calls out of the common bucket; how many there were. Safe among many processes."""
    account, now = runtime.account_fingerprint(), timezone.now()
    with transaction.atomic():
        CallBudget.objects.get_or_create(pk=account, defaults={"left": reserve, "counted_at": now})
        bucket = CallBudget.objects.select_for_update().get(pk=account)
        left = _left(bucket, now, hourly, reserve)
        taken = max(0, min(wanted, int(left)))
        # Clocks of processes that differ must not let the same seconds count twice; a clock that was put back far
        # must not stop the count until its old time has come again.
        counted_at = now if now < bucket.counted_at - STEP else max(now, bucket.counted_at)
        CallBudget.objects.filter(pk=account).update(left=left - taken, counted_at=counted_at)
    return taken


def left_now(hourly: int = HOURLY_BUDGET, reserve: int = RESERVE) -> int:
    """Calls that the common bucket holds now."""
    bucket = CallBudget.objects.filter(pk=runtime.account_fingerprint()).first()
    return int(_left(bucket, timezone.now(), hourly, reserve)) if bucket else reserve


def _left(bucket: CallBudget, now: datetime, hourly: int, reserve: int) -> float:
    passed = max(0.0, (now - bucket.counted_at).total_seconds())
    return min(float(reserve), bucket.left + passed * hourly / 3600)
