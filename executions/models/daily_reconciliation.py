"""Daily reconciliation: the jobs of a day in Rushes, compared with the account's list."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from executions.core.leasing import LeasedQuerySet

# An unfinished reconciliation is started again after this time.
RETRY_AFTER = timedelta(minutes=30)


class DailyReconciliationQuerySet(LeasedQuerySet["DailyReconciliation"]):
    """The column holds the start of the lease, not its end."""

    lease_column = "began_at"
    is_free_when_null = False

    def free(self, now: datetime) -> Self:
        return super().free(now - RETRY_AFTER)

    def due(self, now: datetime) -> Self:
        return self.free(now).filter(reconciled_at=None)

    def claim_value(self, now: datetime, lease: timedelta) -> datetime:
        return now


class DailyReconciliation(models.Model):
    """A worker claims a row by writing `began_at`; its figures are valid once `reconciled_at` is set. Days are UTC days."""

    day = models.DateField(unique=True)
    began_at = models.DateTimeField(default=timezone.now)
    reconciled_at = models.DateTimeField(db_column="closed_at", null=True)
    reconciled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_column="closed_by_id",
    )
    here = models.PositiveIntegerField(
        default=0, help_text="Jobs that VideoGen accepted that day, according to Rushes."
    )
    there = models.PositiveIntegerField(null=True, help_text="Jobs in the account's list; null: unknown.")
    problem = models.CharField(max_length=500, blank=True, help_text="Why the list could not be compared.")
    differences = models.JSONField(
        default=list, help_text="executions.sync.daily_reconciliation.Difference, as dictionaries."
    )

    objects = DailyReconciliationQuerySet.as_manager()

    class Meta:
        db_table = "executions_dayclosing"
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day:%-d %B %Y}"

    @property
    def agrees(self) -> bool:
        return self.reconciled_at is not None and self.there is not None and not self.differences
