"""A webhook endpoint that Rushes registered at VideoGen, with its encrypted signing secret."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from executions.core import encryption


class WebhookEndpoint(models.Model):
    remote_id = models.CharField(max_length=128, unique=True)
    url = models.URLField(max_length=500)
    encrypted_secret = models.TextField()
    secret_last4 = models.CharField(max_length=4)
    created_at = models.DateTimeField(default=timezone.now)
    # A deleted endpoint's secret verifies messages in transit until this time.
    verifies_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.url} (…{self.secret_last4})"

    @property
    def secret(self) -> str:
        return encryption.decrypt(self.encrypted_secret)

    @secret.setter
    def secret(self, value: str) -> None:
        self.encrypted_secret = encryption.encrypt(value)
        self.secret_last4 = value[-4:]
