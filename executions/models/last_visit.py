"""Each person's last visit: their jobs that finished since then are shown as new."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class LastLook(models.Model):
    person = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE)
    looked_at = models.DateTimeField(help_text="Jobs that finished before this time have been seen.")
    before_at = models.DateTimeField(help_text="The visit before that, where the summary page begins.")

    def __str__(self) -> str:
        return f"{self.person_id} at {self.looked_at}"
