"""The People page: everyone with their role, last visit and number of jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone

from executions import policy
from executions.models import Invitation
from executions.team import members
from executions.team import settings as team_settings

MAX_ROWS = 500
JOB_COUNT_TTL = 60  # seconds


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
        return members.role(self.user)

    @property
    def other_role(self) -> str:
        return members.MEMBER if self.role == members.ADMIN else members.ADMIN

    @property
    def seen_at(self) -> datetime | None:
        presence = getattr(self.user, "presence", None)
        times = [at for at in (self.user.last_login, presence and presence.at) if at]
        return max(times, default=None)

    @property
    def can_be_deactivated(self) -> bool:
        return not self.is_me and not self.is_last_admin


class TeamPage:
    def __init__(self, user: User) -> None:
        self.user = user
        self.people = self._people()
        self.invitations = list(
            Invitation.objects.open(timezone.now())
            .select_related("created_by")
            .order_by("expires_at")[:MAX_ROWS]
        )
        self.team_cancels = bool(team_settings.get_uncached(team_settings.TEAM_CANCELS))

    def _people(self) -> list[Person]:
        """Active people first, by name."""
        found = (
            get_user_model().objects.select_related("presence").order_by("-is_active", "username")[:MAX_ROWS]
        )
        jobs = _jobs()
        admins = [each.pk for each in found if policy.role_of(each) is policy.Role.ADMIN]
        return [
            Person(each, jobs.get(each.pk, 0), each.pk == self.user.pk, admins == [each.pk]) for each in found
        ]


def _jobs() -> dict[int, int]:
    """Number of jobs by user id. Cached for a minute, because counting reads an index of all jobs."""
    counts: dict[int, int] | None = cache.get("people:jobs")
    if counts is None:
        counts = members.job_counts()
        cache.set("people:jobs", counts, JOB_COUNT_TTL)
    return counts
