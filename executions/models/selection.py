"""Jobs selected in the history for a bulk action: exactly those listed, and no others."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from executions.core.ids import uuid7


class Act(models.TextChoices):
    CANCEL = "cancel"
    RERUN = "again", "run again"
    ARCHIVE = "archive", "archive results"
    DOWNLOAD = "download"


class Selection(models.Model):
    """Stored as soon as it is shown. The report holds the outcome for each job."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    act = models.CharField(max_length=16, choices=Act)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    ids = models.JSONField(default=list, help_text="The jobs' ids, in the order shown.")
    reason = models.CharField(max_length=200, blank=True)
    report = models.JSONField(default=dict, help_text="The outcome for each job, by its id.")
    done_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["created_by", "created_at"], name="selection_by_person")]
        constraints = [
            models.CheckConstraint(condition=models.Q(act__in=Act.values), name="selection_act_known")
        ]

    def __str__(self) -> str:
        return f"{self.act} {len(self.ids)} jobs"
