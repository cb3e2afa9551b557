"""What is kept of people beside their account: invitations, when somebody was last seen, and choices for everybody."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.conf import settings
from django.db import models
from django.utils import timezone

# The setting by which members may cancel each other's jobs; otherwise only the owner and admins may.
TEAM_CANCELS = "members may cancel each other's jobs"


class InvitationQuerySet(models.QuerySet["Invitation"]):
    def open(self, now: datetime) -> InvitationQuerySet:
        """Those that somebody can still join by: whoever made it has to be an admin still."""
        by_admin = models.Q(created_by=None) | models.Q(created_by__is_active=True, created_by__is_staff=True)
        return self.filter(by_admin, used_at=None, withdrawn_at=None, expires_at__gt=now)


class Invitation(models.Model):
    """A link by which one new person may join. The link's secret is not kept, only its hash."""

    token_hash = models.CharField(max_length=64, unique=True)
    note = models.CharField(max_length=100, blank=True, help_text="Whom it is for, in the inviter's words.")
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
    def hashed(token: str) -> str:
        """How a link's secret is looked up. It is random and long, so a plain hash tells nobody what it was."""
        return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


class Presence(models.Model):
    """When a person was last here."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="presence"
    )
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.person_id} at {self.at:%Y-%m-%d %H:%M}"


class Setting(models.Model):
    """Something that admins choose on a page, for everybody; executions/team/settings.py says what there is."""

    name = models.CharField(max_length=64, primary_key=True)
    value = models.JSONField()
    changed_at = models.DateTimeField(default=timezone.now)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    def __str__(self) -> str:
        return self.name
