"""Bookkeeping of the audit log's integrity: summaries of pruned events, and results of verifications."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Summary(models.Model):
    """Replaces a run of events, at the start of the chain, that retention removed. Never changed."""

    first_position = models.BigIntegerField(unique=True)
    last_position = models.BigIntegerField(unique=True)
    first_at = models.DateTimeField(help_text="When its first event was written down.")
    last_at = models.DateTimeField()
    counts = models.JSONField(help_text="How many events of each kind.")
    previous_hash = models.CharField(max_length=64)
    last_hash = models.CharField(
        max_length=64, help_text="The hash that the first event after it goes on from."
    )
    made_at = models.DateTimeField(default=timezone.now)
    signature = models.CharField(max_length=64, help_text="Over all of the above, with a key of ours.")

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
    position = models.BigIntegerField(help_text="Of the last event that holds.")
    hash = models.CharField(max_length=64)
    problem = models.CharField(max_length=300, blank=True, help_text="Empty: it holds.")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.problem or f"holds up to {self.position}"
