"""One job. `status` and what goes with it is written by executions/lifecycle/machine.py and by nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.lookups import IsNull
from django.utils import timezone

from executions import statuses
from executions.core.ids import uuid7
from executions.core.leasing import LeasedQuerySet
from executions.models.batch import Batch

# An unconfirmed job stays in sight for a day; then only the history shows it.
UNCONFIRMED_IN_SIGHT = timedelta(days=1)

# Among what is to be sent: who was moved to the front last goes first; a batch never passes a single job.
HASTENED_FIRST = F("hastened_at").desc(nulls_last=True)
IN_TURN = (HASTENED_FIRST, IsNull(F("batch"), False), "next_attempt_at", "id")


class ExecutionQuerySet(LeasedQuerySet["Execution"]):
    def for_cards(self) -> ExecutionQuerySet:
        """With all that a card shows, in a number of queries that does not grow with the rows."""
        from executions.models.file import Result

        # Few jobs have a batch or wait for another one: that costs a query where one does, not a join for all.
        results = models.Prefetch("results", Result.objects.select_related("file"))
        return self.select_related("created_by").prefetch_related(
            results, "batch", "after", "cancel_requested_by"
        )

    def error_codes(self, most: int) -> list[str]:
        """The codes that any job ended with: one step along the index for each, however many jobs have it."""
        table = self.model._meta.db_table
        with connection.cursor() as cursor:
            cursor.execute(
                f"""
                WITH RECURSIVE codes(code) AS (
                    SELECT min(error_code) FROM {table} WHERE error_code IS NOT NULL
                    UNION ALL
                    SELECT (SELECT min(error_code) FROM {table} WHERE error_code > codes.code)
                    FROM codes WHERE codes.code IS NOT NULL
                )
                SELECT code FROM codes WHERE code IS NOT NULL LIMIT {int(most)}
                """
            )
            return [code for (code,) in cursor.fetchall()]

    def for_lists(self) -> ExecutionQuerySet:
        """Without the long columns that only a job's own page shows."""
        return self.defer("request_body", "start_answer", "last_answer")

    def newest_first(self) -> ExecutionQuerySet:
        return self.order_by("-id")

    def in_flight(self) -> ExecutionQuerySet:
        """What has not ended, as far as a person still waits for it."""
        long_ago = timezone.now() - UNCONFIRMED_IN_SIGHT
        return self.filter(ended_at=None).exclude(status=statuses.UNCONFIRMED, created_at__lt=long_ago)

    def finished(self) -> ExecutionQuerySet:
        """What has ended, the latest end first."""
        return self.filter(ended_at__isnull=False).order_by("-ended_at", "-id")

    def due(self, now: datetime) -> ExecutionQuerySet:
        """What the reconciler has to look at: its time has come, nobody holds a lease on it, and it is not paused."""
        return self.free(now).filter(ended_at=None, next_attempt_at__lte=now, paused_at=None)

    def to_send(self) -> ExecutionQuerySet:
        """What is still ours alone: written, and never sent."""
        return self.filter(status=statuses.QUEUED, sent_at=None)

    def in_line(self) -> ExecutionQuerySet:
        """What waits to be sent, the next one first: moved to the front, then single jobs, then those of batches.

        What is paused, waits for another job, or is being worked on right now stands in no line.
        """
        return (
            self.to_send()
            .free(timezone.now())
            .filter(ended_at=None, paused_at=None, next_attempt_at__isnull=False)
            .filter(Q(after=None) | Q(after__ended_at__isnull=False))
            .order_by(*IN_TURN)
        )


class Execution(models.Model):
    class Origin(models.TextChoices):
        HERE = "here"
        ELSEWHERE = "elsewhere", "started elsewhere"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    remote_id = models.CharField(max_length=128, null=True, help_text="VideoGen's id, once known.")
    tool = models.CharField(max_length=64, help_text="The tool's slug in the catalogue.")
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.HERE)
    request_body = models.JSONField(default=dict)
    prompt = models.TextField(blank=True, help_text="The words that stand for the job in lists.")
    idempotency_key = models.CharField(
        max_length=128, null=True, help_text="Made by the form: the same form sent twice starts one job."
    )
    fingerprint = models.CharField(
        max_length=64, blank=True, help_text="The same for jobs that ask the same of the same tool."
    )
    # Indexes that begin with these are below: they need none of their own.
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.PROTECT,
        related_name="executions",
        db_index=False,
    )
    batch = models.ForeignKey(
        Batch, null=True, on_delete=models.PROTECT, related_name="executions", db_index=False
    )
    # A chain: this job waits for that one's first result, which then fills `after_field` of its request.
    after = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="followers", db_index=False
    )
    after_field = models.CharField(max_length=64, blank=True)

    status = models.CharField(max_length=64, default=statuses.QUEUED)
    progress = models.FloatField(null=True, help_text="Percent of the current attempt, as VideoGen told it.")
    attempt = models.PositiveIntegerField(null=True, help_text="VideoGen's own attempt, from 0.")
    error = models.JSONField(null=True)
    error_code = models.CharField(
        max_length=64, null=True, help_text="The cause in one word, if VideoGen named it; for filters."
    )
    note = models.CharField(
        max_length=200, blank=True, help_text="What a waiting person should know about it."
    )
    version = models.PositiveIntegerField(
        default=0, help_text="Counts the changes; the conditional UPDATE's guard."
    )

    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, help_text="The request may have left us at this time.")
    accepted_at = models.DateTimeField(null=True)
    running_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    duration = models.FloatField(null=True, help_text="Seconds from the start here to the end.")
    cancel_requested_at = models.DateTimeField(null=True)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    cancel_noted_at = models.DateTimeField(null=True, help_text="VideoGen took the wish to cancel.")
    cancel_reason = models.CharField(
        max_length=200, blank=True, db_default="", default="", help_text="Why, in the words of whoever asked."
    )

    # What a person wants of a job that is not sent yet.
    paused_at = models.DateTimeField(null=True, help_text="It is not sent until somebody resumes it.")
    hastened_at = models.DateTimeField(null=True, help_text="Moved to the front of the queue.")

    # What the reconciler needs. These say when to look, never what is so.
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now)
    attempts = models.PositiveIntegerField(
        default=0, help_text="Failed calls in a row; backoff grows with it."
    )
    leased_until = models.DateTimeField(null=True)
    last_heard_at = models.DateTimeField(null=True)

    # For the curious: the answers as they came.
    start_answer = models.JSONField(null=True)
    last_answer = models.JSONField(null=True)

    objects = ExecutionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["remote_id"], name="execution_remote_id_once"),
            models.UniqueConstraint(
                fields=["created_by", "idempotency_key"],
                name="execution_started_by_form_once",
                condition=Q(idempotency_key__isnull=False),
            ),
            models.CheckConstraint(
                condition=Q(status__in=statuses.TERMINAL, ended_at__isnull=False)
                | (~Q(status__in=statuses.TERMINAL) & Q(ended_at=None)),
                name="execution_ended_if_terminal",
            ),
            models.CheckConstraint(
                condition=Q(
                    status__in=[*sorted(statuses.LOCAL, reverse=True), statuses.FAILED, statuses.CANCELLED]
                )
                | Q(remote_id__isnull=False),
                name="execution_accepted_has_remote_id",
            ),
            models.CheckConstraint(condition=~Q(status=""), name="execution_has_status"),
            models.CheckConstraint(
                condition=Q(progress=None) | Q(progress__range=(0, 100)), name="execution_progress_is_percent"
            ),
            models.CheckConstraint(
                condition=Q(cancel_noted_at=None) | Q(cancel_requested_at__isnull=False),
                name="execution_cancel_noted_after_wish",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="execution_due", condition=Q(ended_at=None)),
            models.Index(fields=["-id"], name="execution_in_flight", condition=Q(ended_at=None)),
            models.Index(F("ended_at").desc(), F("id").desc(), name="execution_finished"),
            # The columns after the id let two filters be answered together, without a look at the rows.
            models.Index(fields=["status", "-id", "tool"], name="execution_status_newest"),
            models.Index(fields=["tool", "-id", "status"], name="execution_tool_newest"),
            # A day's jobs, for its closing.
            models.Index(fields=["accepted_at"], name="execution_accepted"),
            models.Index(fields=["created_by", "-id", "tool", "status"], name="execution_person_newest"),
            models.Index(
                fields=["error_code", "-id", "created_by", "tool"],
                name="execution_error_newest",
                condition=Q(error_code__isnull=False),
            ),
            models.Index(
                fields=["duration", "id"], name="execution_by_duration", condition=Q(duration__isnull=False)
            ),
            # What a quick tool makes is nowhere near the longest of all.
            models.Index(
                fields=["tool", "duration", "id"],
                name="execution_tool_duration",
                condition=Q(duration__isnull=False),
            ),
            models.Index(
                fields=["-id", "created_by", "tool", "status"],
                name="execution_elsewhere",
                condition=Q(origin="elsewhere"),
            ),
            models.Index(fields=["fingerprint", "-id"], name="execution_by_fingerprint"),
            # What few jobs have, only where they have it.
            models.Index(fields=["batch", "id"], name="execution_in_batch", condition=Q(batch__isnull=False)),
            models.Index(fields=["after"], name="execution_after", condition=Q(after__isnull=False)),
            models.Index(
                fields=["cancel_requested_by"],
                name="execution_cancelled_by",
                condition=Q(cancel_requested_by__isnull=False),
            ),
            models.Index(
                fields=["created_by", "-ended_at"],
                name="execution_ended_of_person",
                condition=Q(ended_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.tool} {self.pk} ({self.status})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A job is changed by executions.lifecycle.machine.apply, never by save().")
        super().save(*args, **kwargs)

    @property
    def is_terminal(self) -> bool:
        return self.status in statuses.TERMINAL

    @property
    def is_to_send(self) -> bool:
        """Still ours alone: it can be paused, changed and taken back without a trace at VideoGen."""
        return self.status == statuses.QUEUED and not self.was_sent

    @property
    def was_sent(self) -> bool:
        """The request may have left us: from here on the job may exist at VideoGen."""
        return self.sent_at is not None
