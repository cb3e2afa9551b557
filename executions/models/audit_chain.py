"""Bookkeeping of the audit log's integrity: summaries of pruned events, and results of verifications."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Summary(models.Model):
    """Replaces a run of events, at the start of the chain, that retention removed. Never changed."""

    first_position = models.BigIntegerField(unique=True)
    last_position = models.BigIntegerField(unique=True)
    first_at = models.DateTimeField(help_text="When its first event was recorded.")
    last_at = models.DateTimeField()
    counts = models.JSONField(help_text="Number of events by kind.")
    previous_hash = models.CharField(max_length=64)
    last_hash = models.CharField(
        max_length=64, help_text="Hash of its last event, from which the next event continues."
    )
    made_at = models.DateTimeField(default=timezone.now)
    signature = models.CharField(
        max_length=64, help_text="Covers all of the above, with one of our encryption keys."
    )

    class Meta:
        verbose_name_plural = "summaries"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(last_position__gte=models.F("first_position")),
                name="summary_in_order",
            )
        ]

    def __str__(self) -> str:
        return f"events {self.first_position} to {self.last_position}"

    def signed_values(self) -> list[object]:
        """The values that the signature covers."""
        return [
            self.first_position,
            self.last_position,
            self.first_at,
            self.last_at,
            self.counts,
            self.previous_hash,
            self.last_hash,
            self.made_at,
        ]


class Verification(models.Model):
    """The result of one verification of the audit log, from its start to its head."""

    at = models.DateTimeField(default=timezone.now)
    position = models.BigIntegerField(help_text="Position of the last intact event.")
    hash = models.CharField(max_length=64)
    problem = models.CharField(max_length=300, blank=True, help_text="Empty if the log is intact.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.problem or f"intact up to {self.position}"
