"""A requested copy of a file, until it is complete: then the row is deleted, and the file stores the copy's path."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from executions.core.leasing import LeasedQuerySet
from executions.models.file import File


class CopyRequestQuerySet(LeasedQuerySet["CopyRequest"]):
    lease_column = "due_at"
    is_free_when_null = False

    def pending(self) -> CopyRequestQuerySet:
        return self.filter(due_at__isnull=False)

    def failed(self) -> CopyRequestQuerySet:
        """Requests that were given up."""
        return self.filter(due_at=None)

    def next_first(self) -> CopyRequestQuerySet:
        """Pending requests, the next one first, then failed ones."""
        return self.order_by(F("due_at").asc(nulls_last=True))


class CopyRequest(models.Model):
    file = models.OneToOneField(File, on_delete=models.CASCADE, related_name="copy_request")
    requested_at = models.DateTimeField(db_column="asked_at", default=timezone.now)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        db_column="asked_by_id",
        related_name="+",
        help_text="Null if every file is copied automatically.",
    )
    # During a lease, the time when it expires. Each lease writes a new time, which also identifies its holder.
    due_at = models.DateTimeField(
        null=True, default=timezone.now, help_text="Time of the next attempt; null after giving up."
    )
    tries = models.PositiveIntegerField(default=0, help_text="Failed attempts in a row.")
    problem = models.CharField(max_length=500, blank=True, help_text="Why the last attempt failed.")
    received = models.PositiveBigIntegerField(default=0, help_text="Bytes stored so far.")
    total = models.PositiveBigIntegerField(null=True, help_text="Bytes of the whole file, once known.")
    validator = models.CharField(
        max_length=200, blank=True, help_text="The media server's validator (ETag) of the stored bytes."
    )

    objects = CopyRequestQuerySet.as_manager()

    class Meta:
        db_table = "executions_keeping"
        indexes = [
            models.Index(fields=["due_at"], name="copy_request_due", condition=Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"a copy of {self.file_id}"
