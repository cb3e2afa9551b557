"""Up to when each person has seen how their jobs ended."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class LastLook(models.Model):
    person = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE)
    looked_at = models.DateTimeField(help_text="Whatever ended before has been seen.")
    before_at = models.DateTimeField(help_text="The look before: the page about it begins there.")

    def __str__(self) -> str:
        return f"{self.person_id} at {self.looked_at}"
