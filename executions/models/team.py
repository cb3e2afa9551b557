"""The team, apart from user accounts: invitations, when each person was last active, and shared settings."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

# Name of the setting that lets members cancel each other's jobs. Without it only the owner and admins may.
TEAM_CANCELS = "members may cancel each other's jobs"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self, now: datetime) -> InvitationQuerySet:
        """Invitations that can still be used. The person who created one must still be an admin."""
        by_admin = models.Q(created_by=None) | models.Q(created_by__is_active=True, created_by__is_staff=True)
        return self.filter(by_admin, used_at=None, withdrawn_at=None, expires_at__gt=now)


class Invitation(models.Model):
    """A link by which one new person can join. Only the hash of its token is stored."""

    token_hash = models.CharField(max_length=64, unique=True)
    note = models.CharField(max_length=100, blank=True, help_text="Label: who the invitation is for.")
    is_admin = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )
    withdrawn_at = models.DateTimeField(null=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="invitation_by_end")]

    def __str__(self) -> str:
        return self.note or f"invitation {self.pk}"

    @staticmethod
    def hash_token(token: str) -> str:
        """The stored hash of a link's token. The token is long and random, so that a plain hash is safe."""
        return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Presence(models.Model):
    """When a person was last active."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="presence"
    )
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.person_id} at {self.at:%Y-%m-%d %H:%M}"


class Setting(models.Model):
    """A setting that admins change for the whole team; executions/team/settings.py defines them."""

    name = models.CharField(max_length=64, primary_key=True)
    value = models.JSONField()
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    def __str__(self) -> str:
        return self.name
