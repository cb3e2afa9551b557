"""The append-only events of jobs and files, and of actions by people and by Rushes itself.

The timeline, the audit log and the statistics read them; there is no other history.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.db.models.expressions import RawSQL
from django.utils import timezone

from executions.core import request_context
from executions.core.ids import as_uuid
from executions.models.execution import Execution
from executions.models.file import File
from executions.models.webhook_delivery import WebhookDelivery
from executions.statuses import TERMINAL


class Source(models.TextChoices):
    """Where an update came from."""

    PERSON = "person"
    WEBHOOK = "webhook"
    POLL = "poll"
    RESPONSE = "answer", "VideoGen's response"
    SYSTEM = "system"


class Kind(models.TextChoices):
    """Changes of a job."""

    STARTED = "started"
    SENT = "sent"
    POSTPONED = "postponed"
    STATUS = "status"
    ATTEMPT = "attempt"
    CANCEL_REQUESTED = "cancel requested"
    CANCEL_NOTED = "cancel noted"
    CANCEL_REFUSED = "cancel refused"
    PAUSED = "paused"
    RESUMED = "resumed"
    MOVED_TO_FRONT = "moved to the front"
    EDITED = "edited"
    COMMENTED = "commented"


class FileKind(models.TextChoices):
    """Actions on a file."""

    UPLOADED = "file uploaded"
    ARCHIVED = "file archived"
    RESTORED = "file restored"
    PUBLISHED = "file published"
    WITHDRAWN = "file withdrawn"
    COPIED = "file kept", "file copied"
    DOWNLOADED = "file downloaded"
    LINK_COPIED = "public link copied"


class ActKind(models.TextChoices):
    """Actions on anything else: people, webhook endpoints, batches, settings, the audit log itself."""

    SIGNED_IN = "signed in"
    SIGN_IN_FAILED = "sign-in failed"
    SIGNED_OUT = "signed out"
    INVITED = "invited"
    INVITATION_WITHDRAWN = "invitation withdrawn"
    JOINED = "joined"
    ROLE_CHANGED = "role changed"
    DEACTIVATED = "shut out", "deactivated"
    REACTIVATED = "let in", "reactivated"
    ENDPOINT_CREATED = "endpoint made", "endpoint created"
    ENDPOINT_ROTATED = "endpoint rotated"
    ENDPOINT_DELETED = "endpoint deleted"
    REPLAYED = "deliveries replayed"
    BATCH_STARTED = "batch started"
    BATCH_UNDONE = "batch undone"
    BATCH_CANCELLED = "batch cancelled"
    QUEUE_PAUSED = "queue paused"
    QUEUE_RESUMED = "queue resumed"
    EXPORTED = "exported"
    EVIDENCE_TAKEN = "evidence taken"
    SETTING_CHANGED = "setting changed"
    DAY_RECONCILED = "day closed", "day reconciled"
    PRUNED = "record pruned", "audit log pruned"


# A literal: SQLite does not use a partial index if the query's condition has a parameter.
EMPTY_STRING = RawSQL("''", ())

KINDS = [*Kind.choices, *FileKind.choices, *ActKind.choices]


class EventQuerySet(models.QuerySet["Event"]):
    def unsealed(self) -> EventQuerySet:
        """Events that have no position in the chain yet, oldest first."""
        # In the order of their partial index. Sorted by the id alone, SQLite would scan all events.
        return self.filter(position=None).order_by("position", "id")

    def sealed(self) -> EventQuerySet:
        return self.filter(position__isnull=False)

    def of_kind(self, kind: str) -> EventQuerySet:
        return self.filter(kind=kind)

    def from_source(self, source: str) -> EventQuerySet:
        return self.filter(source=source)

    def ends_since(self, at: datetime) -> EventQuerySet:
        """Events recorded at `at` or later with which a job finished."""
        return self.filter(recorded_at__gte=at, to_status__in=TERMINAL)

    def between(self, after: int, until: int) -> EventQuerySet:
        """Events with ids from `after`, exclusive, to `until`, inclusive."""
        return self.filter(id__gt=after, id__lte=until)

    def from_address(self, address: str) -> EventQuerySet:
        return self.filter(address=address, address__gt=EMPTY_STRING)

    def name_contains(self, part: str) -> EventQuerySet:
        """Events whose subject's name, at that time, contains `part`."""
        return self.filter(subject_name__icontains=part, subject_name__gt=EMPTY_STRING)

    def about(self, subject_type: str, subject_id: str) -> EventQuerySet:
        """Events of one subject. Without a type, those of the job, file or batch that has this id."""
        if subject_type:
            return self.filter(
                subject_type=subject_type, subject_id=subject_id, subject_type__gt=EMPTY_STRING
            )
        by_subject = models.Q(
            subject_type__in=["batch", "execution"], subject_id=subject_id, subject_type__gt=EMPTY_STRING
        )
        pk = as_uuid(subject_id)
        if pk is None:
            return self.filter(by_subject)
        return self.filter(models.Q(execution=pk) | models.Q(file=pk) | by_subject)

    def first_since(self, at: datetime) -> int | None:
        """The id of the first event recorded at `at` or later."""
        return self.filter(recorded_at__gte=at).order_by("recorded_at").values_list("pk", flat=True).first()

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are append-only.")

    def delete(self) -> NoReturn:
        raise TypeError("Events are append-only.")


class Event(models.Model):
    """What happened to a subject, when, and who or what reported it.

    A row never changes, except that sealing gives it a position in the hash chain (executions/audit).
    """

    # The subject: a job, a file, or another object given by type, id and name (a person, an endpoint, a batch).
    execution = models.ForeignKey(
        Execution, null=True, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    file = models.ForeignKey(File, null=True, on_delete=models.PROTECT, related_name="events", db_index=False)
    # Columns added later have a default in the database, so that an older release can still insert rows.
    subject_type = models.CharField(max_length=32, blank=True, db_default="", default="")
    subject_id = models.CharField(max_length=128, blank=True, db_default="", default="")
    subject_name = models.CharField(
        max_length=200, blank=True, db_default="", default="", help_text="Its name at that time."
    )
    kind = models.CharField(max_length=32, choices=KINDS)
    from_status = models.CharField(max_length=64, blank=True)
    to_status = models.CharField(max_length=64, blank=True)
    source = models.CharField(max_length=16, choices=Source)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    address = models.CharField(
        max_length=64,
        blank=True,
        db_default="",
        default=request_context.address,
        help_text="IP address of the actor's request.",
    )
    delivery = models.ForeignKey(
        WebhookDelivery, null=True, on_delete=models.PROTECT, related_name="events", db_index=False
    )
    # When it happened, by the clock of its source, and when it was recorded.
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=timezone.now)
    detail = models.JSONField(default=dict)

    # The hash chain: set once by executions/audit/sealing.py, shortly after the event was written.
    position = models.BigIntegerField(null=True, editable=False)
    previous_hash = models.CharField(max_length=64, blank=True, db_default="", default="", editable=False)
    hash = models.CharField(max_length=64, blank=True, db_default="", default="", editable=False)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(kind__in=[value for value, _ in KINDS]), name="event_kind_known"
            ),
            models.CheckConstraint(condition=models.Q(source__in=Source.values), name="event_source_known"),
            # Partial, so that inserting an event, which has no position yet, costs nothing.
            models.UniqueConstraint(
                fields=["position"],
                name="event_position_once",
                condition=models.Q(position__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["execution", "id"],
                name="event_of_execution",
                condition=models.Q(execution__isnull=False),
            ),
            models.Index(fields=["file", "id"], name="event_of_file", condition=models.Q(file__isnull=False)),
            models.Index(
                fields=["delivery", "id"],
                name="event_of_delivery",
                condition=models.Q(delivery__isnull=False),
            ),
            models.Index(fields=["position", "id"], name="event_to_seal", condition=models.Q(position=None)),
            models.Index(fields=["recorded_at"], name="event_by_time"),
            # The audit page queries each kind and source separately: an index leads to the newest matches.
            models.Index(fields=["source", "kind", "id"], name="event_by_source"),
            models.Index(
                fields=["actor", "kind", "id"], name="event_by_actor", condition=models.Q(actor__isnull=False)
            ),
            models.Index(
                fields=["address", "kind", "id"], name="event_by_address", condition=models.Q(address__gt="")
            ),
            models.Index(
                fields=["subject_type", "subject_id", "id"],
                name="event_by_subject",
                condition=models.Q(subject_type__gt=""),
            ),
            # Few events have a subject name: searching the names reads this index and no rows.
            models.Index(
                fields=["id", "subject_name"], name="event_named", condition=models.Q(subject_name__gt="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.from_status}→{self.to_status} by {self.source}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("Events are append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are append-only.")
