"""A copy of a file that is wanted and not there yet. The row goes when the copy is complete; the file then says where it lies."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from executions.core.leasing import LeasedQuerySet
from executions.models.file import File


class KeepingQuerySet(LeasedQuerySet["Keeping"]):
    lease_column = "due_at"
    is_free_when_null = False


class Keeping(models.Model):
    file = models.OneToOneField(File, on_delete=models.CASCADE, related_name="keeping")
    asked_at = models.DateTimeField(default=timezone.now)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="+",
        help_text="Null: since every file is to be kept.",
    )
    # While somebody works on it this is when the claim ends, and so also whose it is: a claim writes a new time.
    due_at = models.DateTimeField(
        null=True, default=timezone.now, help_text="When it is worked on next; null: given up."
    )
    tries = models.PositiveIntegerField(default=0, help_text="Failed ones in a row.")
    problem = models.CharField(max_length=500, blank=True, help_text="Why the last try failed, in words.")
    received = models.PositiveBigIntegerField(default=0, help_text="Bytes that lie here.")
    total = models.PositiveBigIntegerField(null=True, help_text="Bytes of the whole, once told.")
    validator = models.CharField(
        max_length=200, blank=True, help_text="What the media server calls the bytes that lie here."
    )

    objects = KeepingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="keeping_due", condition=Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"a copy of {self.file_id}"
