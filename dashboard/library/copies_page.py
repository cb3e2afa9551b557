"""The state of a file's copy in our storage, and the totals for the Copies page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from dashboard.cards.file import Tile
from executions import policy
from executions.copies import storage as copy_storage
from executions.copies.requests import LEASE
from executions.models import CopyRequest, File
from executions.models.file import State
from executions.policy import Action
from executions.team import settings as team_settings

MAX_ROWS = 100
# The page refreshes itself while the next attempt is at most this far away.
REFRESH_BEFORE_RETRY = timedelta(minutes=2)


@dataclass(frozen=True)
class Copy:
    """A file and its copy. `copy_request` is the pending or failed copy request, None if there is none."""

    file: File
    copy_request: CopyRequest | None
    is_automatic: bool = False
    """Whether a copy will be requested without a person, because all files are copied."""

    @property
    def exists(self) -> bool:
        return self.file.copied_at is not None

    @property
    def place(self) -> str:
        return "the Rushes folder" if copy_storage.is_folder() else "the Rushes bucket"

    @property
    def is_pending(self) -> bool:
        return self.copy_request is not None and self.copy_request.due_at is not None

    @property
    def is_copying(self) -> bool:
        """Whether a worker holds a lease on it, which is short and renewed."""
        due = self.copy_request.due_at if self.copy_request else None
        return due is not None and not self.problem and timezone.now() < due <= timezone.now() + LEASE

    @property
    def needs_refresh(self) -> bool:
        """Whether the page refreshes itself; not while the next attempt is far away."""
        return self.is_pending and (
            self.next_try is None or self.next_try - timezone.now() < REFRESH_BEFORE_RETRY
        )

    @property
    def has_failed(self) -> bool:
        return self.copy_request is not None and self.copy_request.due_at is None

    @property
    def problem(self) -> str:
        return self.copy_request.problem if self.copy_request else ""

    @property
    def next_try(self) -> datetime | None:
        due = self.copy_request.due_at if self.copy_request else None
        return due if due and self.problem and due > timezone.now() else None

    @property
    def percent(self) -> int | None:
        if self.copy_request is None or not self.copy_request.total:
            return None
        return min(100, round(100 * self.copy_request.received / self.copy_request.total))

    @property
    def can_be_requested(self) -> bool:
        """False if VideoGen no longer has the file: there is nothing to copy."""
        if self.exists or self.is_pending:
            return False
        return self.file.state == State.READY and self.file.gone_at is None


def copy_of(file: File) -> Copy:
    """The copy of a file that was read together with its `copy_request`.

    Two separate reads could miss a copy that finishes between them.
    """
    if file.copied_at:
        return Copy(file, None)
    copy_request = getattr(file, "copy_request", None)
    is_automatic = (
        copy_request is None and file.origin != "account" and bool(team_settings.get(team_settings.COPY_ALL))
    )
    return Copy(file, copy_request, is_automatic)


class CopiesPage:
    """Totals of the stored copies, and the copies in progress or failed."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self.count, self.bytes = File.objects.copy_totals()
        self.copies_all = bool(team_settings.get(team_settings.COPY_ALL))
        self.pending = CopyRequest.objects.pending().count()
        self.failed = CopyRequest.objects.failed().count()
        found = CopyRequest.objects.select_related("file__created_by").next_first()
        self.rows = [(Tile(each.file, user), Copy(each.file, each)) for each in found[:MAX_ROWS]]

    @property
    def can_choose(self) -> bool:
        return policy.can(self.user, Action.SETTING_CHANGE)

    @property
    def place(self) -> str:
        return str(settings.KEEP_FOLDER) if copy_storage.is_folder() else f"bucket {settings.S3_BUCKET}"

    @property
    def free(self) -> int | None:
        """Bytes that copies may still use on the disk; None for a bucket."""
        return copy_storage.free_bytes() if copy_storage.is_folder() else None
