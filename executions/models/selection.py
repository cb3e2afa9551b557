"""Jobs that somebody chose in the history to do one thing with: those that it names, and no others."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from executions.core.ids import uuid7


class Act(models.TextChoices):
    CANCEL = "cancel"
    AGAIN = "again", "run again"
    ARCHIVE = "archive", "archive results"
    DOWNLOAD = "download"


class Selection(models.Model):
    """Kept from the moment that it is shown. What was done is in the report, job by job."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    act = models.CharField(max_length=16, choices=Act)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    ids = models.JSONField(default=list, help_text="The jobs' ids, in the order in which they stood.")
    reason = models.CharField(max_length=200, blank=True)
    report = models.JSONField(default=dict, help_text="What became of each, by its id.")
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["created_by", "created_at"], name="selection_by_person")]
        constraints = [
            models.CheckConstraint(condition=models.Q(act__in=Act.values), name="selection_act_known")
        ]

    def __str__(self) -> str:
        return f"{self.act} {len(self.ids)} jobs"
