"""Progress of importing the account's list of files into the library."""

from __future__ import annotations

from django.db import models

from executions.core.leasing import LeasedQuerySet


class FileImport(models.Model):
    """A single row. VideoGen lists files in pages, most recently changed first; reading all may take many rounds."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    # Cursor of the first unread page; empty before the start and after the end.
    cursor = models.TextField(blank=True)
    completed_at = models.DateTimeField(null=True, help_text="Set once the list has been read to its end.")
    # Existing files of the account are dated backwards from this time, which preserves the order of the list.
    began_at = models.DateTimeField(null=True)
    position = models.PositiveIntegerField(default=0, help_text="Files read since then.")
    ran_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)
    problem = models.CharField(max_length=500, blank=True, help_text="Why the last round failed.")

    objects = LeasedQuerySet["FileImport"].as_manager()

    class Meta:
        db_table = "executions_accountwalk"

    def __str__(self) -> str:
        return f"{self.position} files read"
