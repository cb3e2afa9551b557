"""A named view of the history, shared by the whole team."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class SavedFilter(models.Model):
    name = models.CharField(max_length=80, unique=True)
    query = models.CharField(max_length=2000, blank=True, help_text="The query string of the history page.")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
