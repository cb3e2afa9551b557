"""An external job: a job of the account that, as far as is known, Rushes did not start."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class ExternalJob(models.Model):
    """A job seen in the account's list or in a webhook. It was started outside Rushes, or by a request of Rushes whose
    response was lost.

    The list contains no times. The start is therefore estimated from the neighbours in the list, which is newest
    first, and from the time when the job was first seen.
    """

    remote_id = models.CharField(max_length=128, unique=True)
    tool = models.CharField(max_length=64, help_text="The slug, from the catalogue or derived from the type.")
    status = models.CharField(max_length=64, help_text="The status reported last.")
    seen_at = models.DateTimeField(default=timezone.now)
    started_after = models.DateTimeField(null=True)
    started_before = models.DateTimeField()
    # It existed before the first poll. Rushes does not show the account's earlier history.
    is_past = models.BooleanField(default=False)

    class Meta:
        db_table = "executions_stranger"
        indexes = [models.Index(fields=["is_past", "tool"], name="external_job_by_tool")]

    def __str__(self) -> str:
        return f"{self.tool} {self.remote_id} ({self.status})"
