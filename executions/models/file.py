"""Media files at VideoGen: results of jobs, inputs of jobs, uploads. Stored signed URLs are only a cache."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Count, Q, Sum
from django.utils import timezone

from executions.core.ids import as_uuid, uuid7
from executions.core.leasing import LeasedQuerySet
from executions.models.execution import Execution


class State(models.TextChoices):
    """Progress of a file. Only uploads pass through the first three states."""

    UPLOADING = "uploading"
    PROCESSING = "processing"
    FAILED = "failed"
    READY = "ready"


class FileOrigin(models.TextChoices):
    RESULT = "result", "made by a tool"
    UPLOAD = "upload", "uploaded"
    ACCOUNT = "account", "found in the account"


# Files that the team made or uploaded in Rushes; the others were imported from the account.
LOCAL_ORIGINS = [FileOrigin.RESULT, FileOrigin.UPLOAD]


# Columns that the library is filtered by, each with the index that serves the filter.
FILTERED = {
    "type": "file_of_type",
    "scope": "file_of_scope",
    "source_tool": "file_of_tool",
    "created_by": "file_of_person",
}


class FileQuerySet(LeasedQuerySet["File"]):
    lease_column = "next_poll_at"
    is_free_when_null = False

    def by_remote_id(self, remote_ids: Collection[str]) -> dict[str, File]:
        """The existing files with these ids at VideoGen, by id."""
        return self.in_bulk(remote_ids, field_name="remote_id")

    def with_any_id(self, ids: Collection[str]) -> FileQuerySet:
        """Files with one of these ids, which may be VideoGen's or ours."""
        ours = {pk for each in ids if (pk := as_uuid(each)) is not None}
        return self.filter(Q(remote_id__in=ids) | Q(pk__in=ours))

    def of_types(self, types: Collection[str]) -> FileQuerySet:
        """Files of one of these types; all files if there are none."""
        return self.filter(type__in=types) if types else self

    def of_known_type(self) -> FileQuerySet:
        return self.exclude(type="")

    def other_than(self, files: Collection[File]) -> FileQuerySet:
        return self.exclude(pk__in=[file.pk for file in files])

    def matching(self, filters: Mapping[str, Any]) -> FileQuerySet:
        """Files with these values, by column of FILTERED."""
        return self.filter(**filters)

    def name_contains(self, part: str) -> FileQuerySet:
        return self.filter(display_name__icontains=part)

    def uploads(self) -> FileQuerySet:
        """Uploaded files that are not archived."""
        return self.filter(origin=FileOrigin.UPLOAD, archived_at=None)

    def in_library(self) -> FileQuerySet:
        """Files that the library shows: not archived, and completely uploaded."""
        return self.filter(archived_at=None).exclude(state__in=[State.UPLOADING, State.FAILED])

    def clear_signed_urls(self) -> int:
        """Delete all stored signed URLs, which are no longer valid. VideoGen signs new ones on demand."""
        return self.exclude(snapshot={}).update(snapshot={})

    def archived(self) -> FileQuerySet:
        return self.filter(archived_at__isnull=False)

    def newest_first(self) -> FileQuerySet:
        return self.order_by("-id")

    def public(self) -> FileQuerySet:
        return self.filter(public_since__isnull=False)

    def with_copy(self) -> FileQuerySet:
        """Files of which a copy is stored."""
        return self.filter(copied_at__isnull=False)

    def copy_totals(self) -> tuple[int, int]:
        """The number of stored copies, and their bytes."""
        totals = self.with_copy().aggregate(count=Count("pk"), bytes=Sum("copy_bytes"))
        return totals["count"], totals["bytes"] or 0

    def without_copy(self) -> FileQuerySet:
        """Files that could have a copy, and for which none is stored or requested."""
        return self.filter(
            copied_at=None, gone_at=None, state=State.READY, origin__in=LOCAL_ORIGINS, copy_request=None
        )


class File(models.Model):
    """A file of the VideoGen account: a result, an upload, or one that was made outside Rushes.

    VideoGen has the media; `copied_at` is set while Rushes has a copy. The row outlives both.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    remote_id = models.CharField(max_length=128, unique=True)
    type = models.CharField(
        max_length=32, blank=True, help_text="IMAGE, VIDEO, AUDIO or a type added later; empty: unknown."
    )
    scope = models.CharField(max_length=32, blank=True)
    display_name = models.CharField(max_length=500, blank=True)
    description = models.TextField(blank=True)
    transcript = models.TextField(blank=True)
    duration = models.FloatField(null=True, help_text="Seconds; null for images.")
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    bytes = models.PositiveBigIntegerField(null=True)
    analysis_state = models.CharField(max_length=32, blank=True)
    # The file as VideoGen last reported it, with signed URLs and their expiry times.
    snapshot = models.JSONField(default=dict)

    origin = models.CharField(max_length=16, choices=FileOrigin, default=FileOrigin.ACCOUNT)
    state = models.CharField(max_length=16, choices=State, default=State.READY)
    problem = models.CharField(max_length=500, blank=True, help_text="Why it failed, as a message.")
    source_tool = models.CharField(max_length=64, blank=True, help_text="The slug of the tool that made it.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="files"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)
    archive_reported_at = models.DateTimeField(
        db_column="archive_told_at",
        null=True,
        help_text="When VideoGen was asked to hide it, which its API cannot undo.",
    )

    # The public preview: when it was published, when Rushes withdraws it, and who published it.
    public_since = models.DateTimeField(null=True)
    public_until = models.DateTimeField(null=True)
    public_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    # When the file worker polls it next (workers/file_worker.py); null if there is nothing to do.
    next_poll_at = models.DateTimeField(db_column="next_look_at", null=True)
    polls = models.PositiveIntegerField(
        db_column="looks", default=0, help_text="Polls in a row without a change; the interval grows with it."
    )

    # The copy in the storage of Rushes, if there is one.
    copied_at = models.DateTimeField(db_column="kept_at", null=True)
    copy_path = models.CharField(db_column="kept_path", max_length=300, blank=True)
    copy_sha256 = models.CharField(db_column="kept_sha256", max_length=64, blank=True)
    copy_type = models.CharField(
        db_column="kept_type", max_length=100, blank=True, help_text="The copy's media type."
    )
    copy_bytes = models.PositiveBigIntegerField(db_column="kept_bytes", null=True)
    copy_thumbnail = models.CharField(
        db_column="kept_thumbnail",
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text="Path of a video's thumbnail, stored beside the copy.",
    )
    gone_at = models.DateTimeField(null=True, help_text="When VideoGen reported that it no longer has it.")

    objects = FileQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="file_state_known"),
            models.CheckConstraint(condition=Q(origin__in=FileOrigin.values), name="file_origin_known"),
        ]
        indexes = [
            models.Index(fields=["-id"], name="file_in_library", condition=Q(archived_at=None)),
            *(
                # Includes the columns of the other filters, so that the index alone answers combinations.
                models.Index(
                    fields=[
                        column,
                        "-id",
                        *(each for each in FILTERED if each != column),
                        "state",
                        "archived_at",
                    ],
                    name=name,
                    condition=Q(archived_at=None),
                )
                for column, name in FILTERED.items()
            ),
            # Without it, a tool that never makes this type would be scanned to its end.
            models.Index(
                fields=["source_tool", "type", "-id", "scope", "created_by", "state", "archived_at"],
                name="file_of_tool_and_type",
                condition=Q(archived_at=None),
            ),
            models.Index(
                fields=["public_until"], name="file_public", condition=Q(public_since__isnull=False)
            ),
            models.Index(fields=["-id"], name="file_on_its_way", condition=~Q(state=State.READY)),
            models.Index(fields=["-id"], name="file_archived", condition=Q(archived_at__isnull=False)),
            models.Index(fields=["-id"], name="file_in_register", condition=Q(public_since__isnull=False)),
            models.Index(fields=["next_poll_at"], name="file_due", condition=Q(next_poll_at__isnull=False)),
            models.Index(fields=["copy_bytes"], name="file_kept", condition=Q(copied_at__isnull=False)),
            models.Index(
                fields=["-id"],
                name="file_without_copy",
                condition=Q(copied_at=None, gone_at=None, state=State.READY, origin__in=LOCAL_ORIGINS),
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or self.remote_id

    @property
    def raw(self) -> dict[str, Any]:
        return self.snapshot or {}


class Result(models.Model):
    """One result of a job."""

    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="results")
    file = models.ForeignKey(File, on_delete=models.PROTECT, related_name="results")
    position = models.PositiveIntegerField(help_text="From 0, in VideoGen's order.")

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["execution", "position"], name="result_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.execution_id} #{self.position + 1}"


class Input(models.Model):
    """An input file of a job."""

    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="inputs")
    file = models.ForeignKey(File, on_delete=models.PROTECT, related_name="uses")
    field = models.CharField(max_length=64, help_text="The field of the request that names the file.")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["execution", "field", "position"], name="input_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.file_id} in {self.execution_id}"
