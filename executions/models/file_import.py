"""How far the account's own list of files has been read into the library."""

from __future__ import annotations

from django.db import models

from executions.core.leasing import LeasedQuerySet


class AccountWalk(models.Model):
    """One row. VideoGen lists files in pages, the latest change first; reading all of them may take many rounds."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    # Where the unread rest begins; empty when there is none, or when the walk has not begun.
    cursor = models.TextField(blank=True)
    completed_at = models.DateTimeField(null=True, help_text="The list was read to its end at least once.")
    # Files that the account had before us are dated backwards from here, so that the order of the list is kept.
    began_at = models.DateTimeField(null=True)
    position = models.PositiveIntegerField(default=0, help_text="Files read since then.")
    ran_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, help_text="Why the last round failed, in words.")

    objects = LeasedQuerySet["AccountWalk"].as_manager()

    def __str__(self) -> str:
        return f"{self.position} files read"
