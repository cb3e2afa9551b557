"""The copy of a file in our own storage, as its page tells of it: there, on its way, or given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Sum
from django.utils import timezone

from dashboard.cards.file import Tile
from executions import policy
from executions.copies import storage as copy_storage
from executions.copies.requests import CLAIM
from executions.models import File, Keeping
from executions.models.file import State
from executions.policy import Action
from executions.team import settings as team_settings

SHOWN = 100
NEAR = timedelta(minutes=2)


@dataclass(frozen=True)
class Copy:
    """`keeping` is the copy that is being made, if one is."""

    file: File
    keeping: Keeping | None

    @property
    def is_there(self) -> bool:
        return self.file.kept_at is not None

    @property
    def place(self) -> str:
        return "the folder of Rushes" if copy_storage.is_folder() else "the bucket of Rushes"

    @property
    def is_on_its_way(self) -> bool:
        return self.keeping is not None and self.keeping.due_at is not None

    @property
    def is_being_made(self) -> bool:
        """Somebody works on it: a claim ends soon, and is renewed."""
        due = self.keeping.due_at if self.keeping else None
        return due is not None and not self.problem and timezone.now() < due <= timezone.now() + CLAIM

    @property
    def is_moving(self) -> bool:
        """Whether the page has news to wait for: not while the next try is far away."""
        return self.is_on_its_way and (self.next_try is None or self.next_try - timezone.now() < NEAR)

    @property
    def is_given_up(self) -> bool:
        return self.keeping is not None and self.keeping.due_at is None

    @property
    def problem(self) -> str:
        return self.keeping.problem if self.keeping else ""

    @property
    def next_try(self) -> datetime | None:
        due = self.keeping.due_at if self.keeping else None
        return due if due and self.problem and due > timezone.now() else None

    @property
    def percent(self) -> int | None:
        if self.keeping is None or not self.keeping.total:
            return None
        return min(100, round(100 * self.keeping.received / self.keeping.total))

    @property
    def may_be_asked(self) -> bool:
        """Where VideoGen has the file no longer there is nothing to copy."""
        if self.is_there or self.is_on_its_way:
            return False
        return self.file.state == State.READY and self.file.gone_at is None

    @property
    def comes_by_itself(self) -> bool:
        return (
            bool(team_settings.chosen(team_settings.KEEP_ALL))
            and self.keeping is None
            and self.file.origin != "account"
        )


def copy_of(file: File) -> Copy:
    """`file` was read together with its `keeping`: of two reads, one before and one after its end would tell of none."""
    return Copy(file, None if file.kept_at else getattr(file, "keeping", None))


class CopiesPage:
    """What is kept altogether, what is on its way, and what could not be kept."""

    def __init__(self, user: Any) -> None:
        self.user = user
        told = File.objects.filter(kept_at__isnull=False).aggregate(
            count=Count("pk"), bytes=Sum("kept_bytes")
        )
        self.count: int = told["count"]
        self.bytes: int = told["bytes"] or 0
        self.keeps_all = bool(team_settings.chosen(team_settings.KEEP_ALL))

    @property
    def can_choose(self) -> bool:
        return policy.can(self.user, Action.SETTING_CHANGE)

    @property
    def place(self) -> str:
        return str(settings.KEEP_FOLDER) if copy_storage.is_folder() else f"bucket {settings.S3_BUCKET}"

    @property
    def free(self) -> int | None:
        """Bytes that copies may still take of the disk; None in a bucket."""
        return copy_storage.room() if copy_storage.is_folder() else None

    @cached_property
    def waiting(self) -> int:
        return Keeping.objects.filter(due_at__isnull=False).count()

    @cached_property
    def given_up(self) -> int:
        return Keeping.objects.filter(due_at=None).count()

    @cached_property
    def rows(self) -> list[tuple[Tile, Copy]]:
        """Those on their way, the next first, then those that were given up."""
        found = Keeping.objects.select_related("file__created_by").order_by(F("due_at").asc(nulls_last=True))
        return [(Tile(each.file, self.user), Copy(each.file, each)) for each in found[:SHOWN]]
