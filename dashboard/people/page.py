"""The page of people: everybody with their role, when they were last here, and what they made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db.models import Count
from django.utils import timezone

from executions import policy
from executions.models import Execution, Invitation
from executions.team import members as people
from executions.team import settings as team_settings

MOST = 500
COUNTED_EVERY = 60  # seconds


@dataclass(frozen=True)
class Person:
    user: User
    jobs: int
    is_me: bool
    is_last_admin: bool

    @property
    def name(self) -> str:
        return self.user.get_username()

    @property
    def role(self) -> str:
        return people.role(self.user)

    @property
    def other_role(self) -> str:
        return people.MEMBER if self.role == people.ADMIN else people.ADMIN

    @property
    def seen_at(self) -> datetime | None:
        presence = getattr(self.user, "presence", None)
        known = [at for at in (self.user.last_login, presence and presence.at) if at]
        return max(known, default=None)

    @property
    def may_be_shut_out(self) -> bool:
        return not self.is_me and not self.is_last_admin


class TeamPage:
    def __init__(self, user: User) -> None:
        self.user = user

    @property
    def people(self) -> list[Person]:
        """Those who may sign in first, by their names."""
        found = get_user_model().objects.select_related("presence").order_by("-is_active", "username")[:MOST]
        jobs = _jobs()
        admins = [each.pk for each in found if policy.role_of(each) is policy.Role.ADMIN]
        return [
            Person(each, jobs.get(each.pk, 0), each.pk == self.user.pk, admins == [each.pk]) for each in found
        ]

    @property
    def invitations(self) -> list[Invitation]:
        return list(
            Invitation.objects.open(timezone.now()).select_related("created_by").order_by("expires_at")[:MOST]
        )

    @property
    def team_cancels(self) -> bool:
        return bool(team_settings.chosen_now(team_settings.TEAM_CANCELS))


def _jobs() -> dict[int, int]:
    """How many jobs each has started, counted once a minute: it reads an index of all jobs."""
    counts: dict[int, int] | None = cache.get("people:jobs")
    if counts is None:
        rows = Execution.objects.filter(created_by__isnull=False).order_by().values_list("created_by")
        counts = dict(rows.annotate(Count("pk")))
        cache.set("people:jobs", counts, COUNTED_EVERY)
    return counts
