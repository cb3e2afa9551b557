"""Each person's last visit: their jobs that finished since then are shown as new."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class LastVisit(models.Model):
    """`seen_until` moves forward when the person dismisses the summary or leaves the studio, never back."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE)
    seen_until = models.DateTimeField(
        db_column="looked_at", help_text="Jobs that finished before this time have been seen."
    )
    summary_since = models.DateTimeField(
        db_column="before_at", help_text="The visit before that, where the summary page begins."
    )

    class Meta:
        db_table = "executions_lastlook"

    def __str__(self) -> str:
        return f"{self.person_id} at {self.seen_until}"
