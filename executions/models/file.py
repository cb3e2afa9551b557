"""Media that VideoGen keeps: as a job's result, as a job's input, or uploaded. Signed addresses are a cache, never the truth."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from executions.core.ids import uuid7
from executions.core.leasing import LeasedQuerySet
from executions.models.execution import Execution


class State(models.TextChoices):
    """How far a file is. Only an upload goes through the first three."""

    UPLOADING = "uploading"
    PROCESSING = "processing"
    FAILED = "failed"
    READY = "ready"


class Origin(models.TextChoices):
    RESULT = "result", "made by a tool"
    UPLOAD = "upload", "uploaded"
    ACCOUNT = "account", "found in the account"


# What people of ours made or uploaded; the rest was found in the account.
MADE_HERE = [Origin.RESULT, Origin.UPLOAD]


# Columns that the library is filtered by, each with the index that it is walked along then.
FILTERED = {
    "type": "file_of_type",
    "scope": "file_of_scope",
    "source_tool": "file_of_tool",
    "created_by": "file_of_person",
}


class FileQuerySet(LeasedQuerySet["File"]):
    lease_column = "next_look_at"
    is_free_when_null = False

    def in_library(self) -> FileQuerySet:
        """What the library shows: neither archived nor still on its way up."""
        return self.filter(archived_at=None).exclude(state__in=[State.UPLOADING, State.FAILED])

    def forget_urls(self) -> int:
        """The addresses that VideoGen signed lead nowhere any more; they are signed again when they are needed."""
        return self.exclude(snapshot={}).update(snapshot={})

    def archived(self) -> FileQuerySet:
        return self.filter(archived_at__isnull=False)

    def newest_first(self) -> FileQuerySet:
        return self.order_by("-id")

    def public(self) -> FileQuerySet:
        return self.filter(public_since__isnull=False)

    def without_copy(self) -> FileQuerySet:
        """What could have a copy here, and nobody has asked for one yet."""
        return self.filter(kept_at=None, gone_at=None, state=State.READY, origin__in=MADE_HERE, keeping=None)


class File(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    remote_id = models.CharField(max_length=128, unique=True)
    type = models.CharField(
        max_length=32, blank=True, help_text="IMAGE, VIDEO, AUDIO or a later one; empty: unknown."
    )
    scope = models.CharField(max_length=32, blank=True)
    display_name = models.CharField(max_length=500, blank=True)
    description = models.TextField(blank=True)
    transcript = models.TextField(blank=True)
    duration = models.FloatField(null=True, help_text="Seconds; null for pictures.")
    width = models.PositiveIntegerField(null=True)
    height = models.PositiveIntegerField(null=True)
    bytes = models.PositiveBigIntegerField(null=True)
    analysis_state = models.CharField(max_length=32, blank=True)
    # The file as VideoGen last told it, with signed addresses and when each one ends.
    snapshot = models.JSONField(default=dict)

    origin = models.CharField(max_length=16, choices=Origin, default=Origin.ACCOUNT)
    state = models.CharField(max_length=16, choices=State, default=State.READY)
    problem = models.CharField(max_length=500, blank=True, help_text="Why it failed, in words.")
    source_tool = models.CharField(max_length=64, blank=True, help_text="The slug of the tool that made it.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="files"
    )
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)
    archive_told_at = models.DateTimeField(
        null=True, help_text="VideoGen was told to hide it; its API has no way back."
    )

    # The public preview, as the register has it: who opened it, when, and until when (we close it then).
    public_since = models.DateTimeField(null=True)
    public_until = models.DateTimeField(null=True)
    public_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+"
    )

    # When the background work looks at it again (workers/file_worker.py); null: there is nothing to do.
    next_look_at = models.DateTimeField(null=True)
    looks = models.PositiveIntegerField(
        default=0, help_text="Looks in a row without news; the pause grows with it."
    )

    # Our own copy, where one was kept.
    kept_at = models.DateTimeField(null=True)
    kept_path = models.CharField(max_length=300, blank=True)
    kept_sha256 = models.CharField(max_length=64, blank=True)
    kept_type = models.CharField(max_length=100, blank=True, help_text="The copy's media type.")
    kept_bytes = models.PositiveBigIntegerField(null=True)
    kept_thumbnail = models.CharField(
        max_length=300,
        blank=True,
        default="",
        db_default="",
        help_text="A picture of a video, kept beside it.",
    )
    gone_at = models.DateTimeField(null=True, help_text="VideoGen said that it no longer has it.")

    objects = FileQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(state__in=State.values), name="file_state_known"),
            models.CheckConstraint(condition=Q(origin__in=Origin.values), name="file_origin_known"),
        ]
        indexes = [
            models.Index(fields=["-id"], name="file_in_library", condition=Q(archived_at=None)),
            *(
                # With all that may be asked besides: what else matches is read off the index alone.
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
            # A tool that never makes this type would else be walked to its end.
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
            models.Index(fields=["next_look_at"], name="file_due", condition=Q(next_look_at__isnull=False)),
            models.Index(fields=["kept_bytes"], name="file_kept", condition=Q(kept_at__isnull=False)),
            models.Index(
                fields=["-id"],
                name="file_without_copy",
                condition=Q(kept_at=None, gone_at=None, state=State.READY, origin__in=MADE_HERE),
            ),
        ]

    def __str__(self) -> str:
        return self.display_name or self.remote_id

    @property
    def raw(self) -> dict[str, Any]:
        return self.snapshot or {}


class Result(models.Model):
    """One alternative that a job made."""

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
    """A file that a job works from."""

    execution = models.ForeignKey(Execution, on_delete=models.PROTECT, related_name="inputs")
    file = models.ForeignKey(File, on_delete=models.PROTECT, related_name="uses")
    field = models.CharField(max_length=64, help_text="The request's field that names it.")
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["execution", "field", "position"], name="input_position_once"),
        ]

    def __str__(self) -> str:
        return f"{self.file_id} in {self.execution_id}"
