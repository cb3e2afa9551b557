"""Tables used as queues: one worker at a time holds a row, and the lease of a dead worker expires.

A claim writes a new time, usually the end of the lease, into one column of the row. The worker that wrote exactly this
value is the holder: its later writes (`renew`, `release`) apply only while the value is unchanged.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Self

from django.db import connections, models, transaction
from django.db.models import Q
from django.utils import timezone


class LeasedQuerySet[M: models.Model](models.QuerySet[M]):
    """Base of the querysets of leased tables. Subclasses set the column and narrow `due`."""

    lease_column = "leased_until"
    """The end of the lease; until then no other worker claims the row."""
    is_free_when_null = True
    """False if the column is also the time when the row is due, so that null means never."""

    def free(self, now: datetime) -> Self:
        """Rows without a valid lease."""
        expired = Q(**{f"{self.lease_column}__lte": now})
        return self.filter(expired | Q(**{self.lease_column: None}) if self.is_free_when_null else expired)

    def due(self, now: datetime) -> Self:
        """Rows that may be claimed: free, and due by now."""
        return self.free(now)

    def claim_value(self, now: datetime, lease: timedelta) -> datetime:
        """The value that a claim writes into the column."""
        return now + lease

    def skip_locked(self) -> Self:
        """Lock these rows until the transaction ends, skipping rows that other transactions have locked.

        SQLite has no row locks and needs none: it runs writing transactions one after the other.
        """
        if connections[self.db].features.has_select_for_update_skip_locked:
            return self.select_for_update(skip_locked=True)
        return self

    def claim_all(self, lease: timedelta) -> datetime | None:
        """Claim all due rows with one UPDATE. Returns the value written, or None if no row was due."""
        now = timezone.now()
        until = self.claim_value(now, lease)
        return until if self.due(now).update(**{self.lease_column: until}) else None

    def claim(self, limit: int, lease: timedelta) -> list[M]:
        """Claim the first `limit` due rows. Each row goes to exactly one process."""
        now = timezone.now()
        until = self.claim_value(now, lease)
        with transaction.atomic(using=self.db):
            rows = list(self.due(now).skip_locked()[:limit])
            self.model._default_manager.filter(pk__in=[row.pk for row in rows]).update(
                **{self.lease_column: until}
            )
        for row in rows:
            setattr(row, self.lease_column, until)
        return rows

    def held(self, row: M) -> Self:
        """This row, if no one has claimed it since `row` was read or claimed; an expired lease still counts."""
        return self.filter(pk=row.pk, **{self.lease_column: getattr(row, self.lease_column)})

    def renew(self, row: M, lease: timedelta, **columns: Any) -> bool:
        """Extend the lease and write these columns. Returns False, and writes nothing, if the lease was lost."""
        until = self.claim_value(timezone.now(), lease)
        if not self.held(row).update(**{self.lease_column: until}, **columns):
            return False
        setattr(row, self.lease_column, until)
        return True

    def release(self, row: M, at: datetime | None = None, **columns: Any) -> bool:
        """End the lease and write these columns. Returns False, and writes nothing, if the lease was lost.

        `at` is when the row is due again, in tables whose column says that.
        """
        return bool(self.held(row).update(**{self.lease_column: at}, **columns))

    def release_all(self, lease: timedelta) -> int:
        """End all leases; `lease` is the longest in use. Only for a process that knows that no other process runs."""
        if self.is_free_when_null:
            return self.exclude(**{self.lease_column: None}).update(**{self.lease_column: None})
        now = timezone.now()
        within = {f"{self.lease_column}__gt": now, f"{self.lease_column}__lte": now + lease}
        return self.filter(**within).update(**{self.lease_column: now})
