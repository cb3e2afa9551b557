"""Tables whose rows are a queue: one worker at a time holds a row, and a dead worker's lease expires by itself.

A claim writes a new time into one column of the row. The row is taken until then, and whoever wrote exactly that
time is its holder: every later write of the holder (`renew`, `release`) applies only while the time is still there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self

from django.db import connections, models, transaction
from django.db.models import Q
from django.utils import timezone


class LeasedQuerySet[M: models.Model](models.QuerySet[M]):
    """Base of the querysets of leased tables; a subclass names its column and narrows `due`."""

    lease_column = "leased_until"
    """When the lease ends; until then nobody else takes the row."""
    is_free_when_null = True
    """False where the column is also the time when the row is due, so that null means: never."""

    def free(self, now: datetime) -> Self:
        """What nobody holds."""
        ended = Q(**{f"{self.lease_column}__lte": now})
        return self.filter(ended | Q(**{self.lease_column: None}) if self.is_free_when_null else ended)

    def due(self, now: datetime) -> Self:
        """What may be claimed: free, and its time has come."""
        return self.free(now)

    def mark(self, now: datetime, lease: timedelta) -> datetime:
        """What a claim writes into the column."""
        return now + lease

    def unlocked(self) -> Self:
        """Lock these rows until the transaction ends, and pass over what others have locked, where the database can.

        SQLite cannot, and need not: its transactions that write come one after the other.
        """
        if connections[self.db].features.has_select_for_update_skip_locked:
            return self.select_for_update(skip_locked=True)
        return self

    def take(self, lease: timedelta) -> datetime | None:
        """Claim all of these rows that are due, by one UPDATE: the time that was written, or None if there were none."""
        now = timezone.now()
        until = self.mark(now, lease)
        return until if self.due(now).update(**{self.lease_column: until}) else None

    def claim(self, limit: int, lease: timedelta) -> list[M]:
        """Claim the first `limit` of these rows that are due. Of any number of processes one gets each."""
        now = timezone.now()
        until = self.mark(now, lease)
        with transaction.atomic(using=self.db):
            rows = list(self.due(now).unlocked()[:limit])
            self.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(
                **{self.lease_column: until}
            )
        for row in rows:
            setattr(row, self.lease_column, until)
        return rows

    def held(self, row: M) -> Self:
        """This row, if the claim that `row` was read or claimed with still holds."""
        return self.filter(pk=row.pk, **{self.lease_column: getattr(row, self.lease_column)})

    def renew(self, row: M, lease: timedelta, **columns: Any) -> bool:
        """Hold it longer, and write these columns. False, and nothing is written, where the claim is lost."""
        until = self.mark(timezone.now(), lease)
        if not self.held(row).update(**{self.lease_column: until}, **columns):
            return False
        setattr(row, self.lease_column, until)
        return True

    def release(self, row: M, at: datetime | None = None, **columns: Any) -> bool:
        """Give it back, due at `at` where the column says that, and write these columns. False where the claim is lost."""
        return bool(self.held(row).update(**{self.lease_column: at}, **columns))

    def release_all(self, lease: timedelta) -> int:
        """Free every lease, none of which is longer than `lease`. Only for a process that knows that no other one runs."""
        if self.is_free_when_null:
            return self.exclude(**{self.lease_column: None}).update(**{self.lease_column: None})
        now = timezone.now()
        within = {f"{self.lease_column}__gt": now, f"{self.lease_column}__lte": now + lease}
        return self.filter(**within).update(**{self.lease_column: now})
