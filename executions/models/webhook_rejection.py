"""Rejected requests to the receiver: counted by reason and hour, with one sample each, so that a flood adds no rows."""

from __future__ import annotations

from django.db import models


class Rejection(models.Model):
    reason = models.CharField(max_length=32)
    hour = models.DateTimeField(help_text="Start of the hour.")
    count = models.PositiveBigIntegerField(default=0)
    last_at = models.DateTimeField()
    sample = models.JSONField(
        default=dict, help_text="The latest request: its IP address, size and first bytes."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["reason", "hour"], name="rejection_once_an_hour")]

    def __str__(self) -> str:
        return f"{self.reason}: {self.count}"
