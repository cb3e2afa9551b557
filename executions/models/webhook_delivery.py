"""A webhook delivery signed by VideoGen, stored once, as received."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from executions.models.execution import Execution


class Outcome(models.TextChoices):
    APPLIED = "applied"
    TOO_LATE = "too late", "changed nothing"
    UNKNOWN_JOB = "unknown job"
    UNKNOWN_EVENT = "unknown event"
    FILE = "file"
    FAILED = "failed", "processing failed"


class WebhookDelivery(models.Model):
    webhook_id = models.CharField(
        max_length=255, unique=True, help_text="The same for all attempts of a message."
    )
    event = models.CharField(max_length=100, blank=True)
    remote_execution_id = models.CharField(max_length=128, blank=True)
    remote_file_id = models.CharField(max_length=128, blank=True, db_default="", default="")
    execution = models.ForeignKey(Execution, null=True, on_delete=models.PROTECT, related_name="deliveries")
    outcome = models.CharField(max_length=16, choices=Outcome)
    headers = models.JSONField(default=dict, help_text="The three webhook-* headers, as received.")
    body = models.BinaryField(help_text="The signed raw bytes.")
    repeats = models.PositiveIntegerField(default=0, help_text="Repeated attempts of the same message.")
    occurred_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)
    pruned_at = models.DateTimeField(null=True, help_text="When retention removed the body.")

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(outcome__in=Outcome.values), name="delivery_outcome_known"
            ),
        ]
        indexes = [
            models.Index(fields=["outcome", "-id"], name="delivery_by_outcome"),
            models.Index(
                fields=["received_at"], name="delivery_to_prune", condition=models.Q(pruned_at=None)
            ),
            models.Index(
                fields=["remote_execution_id"],
                name="delivery_waiting_for_job",
                condition=models.Q(outcome=Outcome.UNKNOWN_JOB),
            ),
            models.Index(
                fields=["remote_file_id", "-id"],
                name="delivery_of_file",
                condition=models.Q(remote_file_id__gt=""),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.webhook_id} ({self.outcome})"

    @property
    def delay(self) -> float | None:
        """Seconds from the event at VideoGen to its receipt, measured by two clocks."""
        if self.occurred_at is None:
            return None
        return max(0.0, (self.received_at - self.occurred_at).total_seconds())
