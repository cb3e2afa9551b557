"""State of sending and polling that all processes share: a pause, VideoGen's rate limits, the polling budget."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Queue(models.Model):
    """A single row: whether the queue is paused."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    paused_at = models.DateTimeField(null=True)
    paused_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    def __str__(self) -> str:
        return "paused" if self.paused_at else "open"


class RateWindow(models.Model):
    """The latest state of one of VideoGen's rate limits, from a response. `account` identifies the API key."""

    account = models.CharField(max_length=16)
    group = models.CharField(max_length=64)
    limit = models.PositiveIntegerField(null=True)
    remaining = models.PositiveIntegerField(null=True)
    reset_at = models.DateTimeField(null=True, help_text="By our clock.")
    reported_at = models.DateTimeField(db_column="heard_at", default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "group"], name="rate_window_once")]

    def __str__(self) -> str:
        return f"{self.group}: {self.remaining} of {self.limit}"


class CallBudget(models.Model):
    """The calls left for an API key, refilled at a constant rate. All processes share the row."""

    account = models.CharField(max_length=16, primary_key=True)
    left = models.FloatField()
    counted_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.left:.0f} left"
