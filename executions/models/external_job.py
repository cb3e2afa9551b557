"""A job of the account that is none of ours, as far as we know."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Stranger(models.Model):
    """Seen in the account's list or in a webhook. It was started elsewhere, or by a start of ours whose answer was lost.

    The list names no times, so when it was started is known only by what stands around it in the list, which is
    newest first, and by when it was seen for the first time.
    """

    remote_id = models.CharField(max_length=128, unique=True)
    tool = models.CharField(max_length=64, help_text="The slug, as the catalogue or we ourselves make it.")
    status = models.CharField(max_length=64, help_text="As it was last told.")
    seen_at = models.DateTimeField(default=timezone.now)
    started_after = models.DateTimeField(null=True)
    started_before = models.DateTimeField()
    # It was there before we looked for the first time: the past of the account is not ours to tell.
    is_past = models.BooleanField(default=False)

    class Meta:
        indexes = [models.Index(fields=["is_past", "tool"], name="stranger_by_tool")]

    def __str__(self) -> str:
        return f"{self.tool} {self.remote_id} ({self.status})"
