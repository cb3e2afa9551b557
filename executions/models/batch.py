"""Jobs that are started together: first a plan, which a person reviews, then a batch."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from executions.core.ids import uuid7


class Batch(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    tool = models.CharField(max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="batches"
    )
    created_at = models.DateTimeField(default=timezone.now)
    size = models.PositiveIntegerField(help_text="Number of jobs, including speech jobs that run first.")
    idempotency_key = models.CharField(max_length=128, null=True)
    sends_at = models.DateTimeField(
        default=timezone.now, help_text="Nothing is sent before this time; until then it can be undone."
    )
    undone_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "batches"
        constraints = [
            models.UniqueConstraint(fields=["created_by", "idempotency_key"], name="batch_started_once"),
        ]
        indexes = [models.Index(fields=["created_by", "-id"], name="batch_by_person")]

    def __str__(self) -> str:
        return self.name

    @property
    def can_be_undone(self) -> bool:
        return self.undone_at is None and timezone.now() < self.sends_at


class BatchPlan(models.Model):
    """Validated rows that await confirmation. They are stored, so that exactly these rows are started."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=200)
    tool = models.CharField(max_length=64)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    rows = models.JSONField(default=list, help_text="executions.batches.rows.Row, as dictionaries.")
    batch = models.OneToOneField(Batch, null=True, on_delete=models.PROTECT, related_name="plan")

    class Meta:
        indexes = [models.Index(fields=["created_by", "created_at"], name="batch_plan_by_person")]

    def __str__(self) -> str:
        return self.name


class BatchCancel(models.Model):
    """A request to cancel jobs of a batch: exactly those listed when the request was made."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="cancels")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    ids = models.JSONField(default=list, help_text="The jobs' ids, in the batch's order.")
    report = models.JSONField(default=dict, help_text="The outcome for each job, by its id.")
    done_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"cancel {len(self.ids)} of {self.batch_id}"
