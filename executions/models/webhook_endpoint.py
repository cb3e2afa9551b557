"""A webhook endpoint of ours that is registered at VideoGen, with its signing secret, encrypted."""

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
    # After its endpoint is deleted a secret still verifies what is under way; then this time has passed.
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
