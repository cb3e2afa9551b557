"""The polling budget: how many reads we may make, per API key, shared by all processes (docs/api-notes.md#polling)."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from executions.core import runtime
from executions.models import CallBudget

# GET requests per hour for the whole account; VideoGen's limit is 5,000.
HOURLY_BUDGET = 4000
RESERVE = 400
# Calls that a process draws at once from the shared budget, to avoid a query per call.
CHUNK_SIZE = 25
# A clock that is this far behind the last count was set back.
CLOCK_STEP = timedelta(minutes=1)


class Budget:
    """A token bucket of calls: refilled evenly with `hourly` calls per hour, holding at most `reserve` for bursts."""

    def __init__(self, hourly: int = HOURLY_BUDGET, reserve: int = RESERVE) -> None:
        self.rate = hourly / 3600
        self.reserve = float(reserve)
        self.remaining = self.reserve
        self.counted_at = time.monotonic()

    async def refill(self) -> None:
        """Draw calls if none are left. Call it before `available` and `spend_available`."""

    def available(self) -> int:
        """The number of calls that can be made now."""
        now = time.monotonic()
        self.remaining = min(self.reserve, self.remaining + (now - self.counted_at) * self.rate)
        self.counted_at = now
        return int(self.remaining)

    def spend_available(self) -> bool:
        """Use up one call. Returns False if none is available."""
        if self.available() < 1:
            return False
        self.remaining -= 1
        return True


class SharedBudget(Budget):
    """A budget whose bucket is in the database, shared by all processes."""

    def __init__(self, hourly: int = HOURLY_BUDGET, reserve: int = RESERVE) -> None:
        super().__init__(hourly, reserve)
        self.hourly = hourly
        self.remaining = 0.0  # drawn by this process and not spent
        self._account = ""
        self._retry_at = 0.0  # monotonic; when to draw again from a bucket that was empty

    async def refill(self) -> None:
        now, account = time.monotonic(), runtime.account_fingerprint()
        if account != self._account:
            # Calls drawn for one API key do not count for another.
            self._account, self.remaining, self._retry_at = account, 0.0, 0.0
        if self.remaining < 1 and now >= self._retry_at:
            self.remaining += await runtime.in_db(draw, CHUNK_SIZE, self.hourly, int(self.reserve))
            self._retry_at = now + 1.0 if self.remaining < 1 else 0.0

    def available(self) -> int:
        return int(self.remaining)

    async def spend(self) -> bool:
        """Use up one call, drawing from the bucket if necessary. Returns False if none is available."""
        await self.refill()
        return self.spend_available()


# This process's share of the budget.
shared = SharedBudget()


def draw(wanted: int, hourly: int = HOURLY_BUDGET, reserve: int = RESERVE) -> int:
    """Take up to `wanted` calls from the shared bucket and return the number taken. Safe with concurrent processes."""
    account, now = runtime.account_fingerprint(), timezone.now()
    with transaction.atomic():
        CallBudget.objects.get_or_create(pk=account, defaults={"left": reserve, "counted_at": now})
        bucket = CallBudget.objects.select_for_update().get(pk=account)
        left = _left(bucket, now, hourly, reserve)
        taken = max(0, min(wanted, int(left)))
        # Different clocks of processes must not count the same seconds twice. But a clock that was set back far must
        # not stop the refill until it reaches its old time again.
        counted_at = now if now < bucket.counted_at - CLOCK_STEP else max(now, bucket.counted_at)
        CallBudget.objects.filter(pk=account).update(left=left - taken, counted_at=counted_at)
    return taken


def calls_left(hourly: int = HOURLY_BUDGET, reserve: int = RESERVE) -> int:
    """The number of calls in the shared bucket now."""
    bucket = CallBudget.objects.filter(pk=runtime.account_fingerprint()).first()
    return int(_left(bucket, timezone.now(), hourly, reserve)) if bucket else reserve


def _left(bucket: CallBudget, now: datetime, hourly: int, reserve: int) -> float:
    elapsed = max(0.0, (now - bucket.counted_at).total_seconds())
    return min(float(reserve), bucket.left + elapsed * hourly / 3600)
