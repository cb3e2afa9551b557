"""A job. Only executions/lifecycle/status_machine.py writes `status` and the columns that depend on it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection, models
from django.db.models import F, Q
from django.db.models.lookups import IsNull
from django.utils import timezone

from executions import statuses
from executions.core.ids import uuid7
from executions.core.leasing import LeasedQuerySet
from executions.models.batch import Batch

if TYPE_CHECKING:
    from executions.models.file import File

# An unconfirmed job is listed as in flight for a day; then only the history shows it.
UNCONFIRMED_VISIBLE_FOR = timedelta(days=1)

# Order of sending: the job moved to the front last goes first; single jobs go before those of a batch.
PRIORITISED_FIRST = F("prioritised_at").desc(nulls_last=True)
SEND_ORDER = (PRIORITISED_FIRST, IsNull(F("batch"), False), "next_attempt_at", "id")


class ExecutionQuerySet(LeasedQuerySet["Execution"]):
    def for_cards(self) -> ExecutionQuerySet:
        """With everything that a card shows, in a constant number of queries."""
        from executions.models.file import Result

        # Few jobs have a batch or a predecessor: a query when one does is cheaper than a join for all.
        results = models.Prefetch("results", Result.objects.select_related("file"))
        return self.select_related("created_by").prefetch_related(
            results, "batch", "after", "cancel_requested_by"
        )

    def error_codes(self, limit: int) -> list[str]:
        """The distinct error codes, at most `limit`: one index step for each, however many jobs have it."""
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
                SELECT code FROM codes WHERE code IS NOT NULL LIMIT {int(limit)}
                """
            )
            return [code for (code,) in cursor.fetchall()]

    def for_lists(self) -> ExecutionQuerySet:
        """Without the large columns that only the job's own page shows."""
        return self.defer("request_body", "start_answer", "last_answer")

    def newest_first(self) -> ExecutionQuerySet:
        return self.order_by("-id")

    def single(self) -> ExecutionQuerySet:
        """Jobs that belong to no batch."""
        return self.filter(batch=None)

    def of_tool(self, slug: str) -> ExecutionQuerySet:
        return self.filter(tool=slug)

    def with_status(self, status: str) -> ExecutionQuerySet:
        return self.filter(status=status)

    def count_by(self, column: str) -> dict[Any, int]:
        """The number of jobs for each value of a column."""
        return dict(self.order_by().values_list(column).annotate(models.Count("pk")))

    def with_result(self, file: File) -> ExecutionQuerySet:
        """Jobs that made the file."""
        return self.filter(results__file=file)

    def with_input(self, file: File) -> ExecutionQuerySet:
        """Jobs that used the file."""
        from executions.models.file import Input

        return self.filter(pk__in=Input.objects.filter(file=file).values("execution"))

    def following(self, execution: Execution) -> ExecutionQuerySet:
        """Jobs that wait for the job or use its results."""
        from executions.models.file import Input

        # A union of ids, because for an OR of both conditions PostgreSQL would read every job.
        uses = Input.objects.filter(file__in=execution.results.values("file")).values_list("execution")
        return self.filter(
            pk__in=uses.union(self.model._default_manager.filter(after=execution).values_list("pk"))
        )

    def unfinished(self) -> ExecutionQuerySet:
        return self.filter(ended_at=None)

    def in_flight(self) -> ExecutionQuerySet:
        """Unfinished jobs, without those that have been unconfirmed for longer than UNCONFIRMED_VISIBLE_FOR."""
        cutoff = timezone.now() - UNCONFIRMED_VISIBLE_FOR
        return self.unfinished().exclude(status=statuses.UNCONFIRMED, sent_at__lt=cutoff)

    def finished(self) -> ExecutionQuerySet:
        """Finished jobs, most recently finished first."""
        return self.filter(ended_at__isnull=False).order_by("-ended_at", "-id")

    def due(self, now: datetime) -> ExecutionQuerySet:
        """Jobs that the reconciler has to process: their time has come, and they are neither leased nor paused."""
        return self.free(now).filter(ended_at=None, next_attempt_at__lte=now, paused_at=None)

    def to_send(self) -> ExecutionQuerySet:
        """Queued jobs that were never sent to VideoGen."""
        return self.filter(status=statuses.QUEUED, sent_at=None)

    def paused(self) -> ExecutionQuerySet:
        """Queued jobs that are not sent until a person resumes them."""
        return self.to_send().unfinished().filter(paused_at__isnull=False)

    def send_queue(self) -> ExecutionQuerySet:
        """Jobs ready to be sent, next one first: those moved to the front, then single jobs, then those of batches.

        Without jobs that are paused, wait for another job, or are being processed at the moment.
        """
        return (
            self.to_send()
            .free(timezone.now())
            .filter(ended_at=None, paused_at=None, next_attempt_at__isnull=False)
            .filter(Q(after=None) | Q(after__ended_at__isnull=False))
            .order_by(*SEND_ORDER)
        )


class Execution(models.Model):
    """A job: one request to a tool of VideoGen's, started in Rushes or found in the account.

    Only `executions/lifecycle` writes its status. The row is also the queue: when it is due, and who works on it.
    """

    class Origin(models.TextChoices):
        LOCAL = "here", "started in Rushes"
        EXTERNAL = "elsewhere", "started outside Rushes"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    remote_id = models.CharField(max_length=128, null=True, help_text="VideoGen's id, once known.")
    tool = models.CharField(max_length=64, help_text="The tool's slug in the catalogue.")
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.LOCAL)
    request_body = models.JSONField(default=dict)
    prompt = models.TextField(blank=True, help_text="The job's title in lists.")
    idempotency_key = models.CharField(
        max_length=128, null=True, help_text="Set by the form: submitting a form twice starts one job."
    )
    fingerprint = models.CharField(
        max_length=64, blank=True, help_text="The same for jobs of a tool with the same request."
    )
    # db_index=False: indexes below begin with these columns.
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
    # A chain: this job waits for the first result of `after`, which then fills `after_field` of its request.
    after = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="followers", db_index=False
    )
    after_field = models.CharField(max_length=64, blank=True)

    status = models.CharField(max_length=64, default=statuses.QUEUED)
    progress = models.FloatField(null=True, help_text="Percent of the current attempt, as reported.")
    attempt = models.PositiveIntegerField(null=True, help_text="VideoGen's own attempt, from 0.")
    error = models.JSONField(null=True)
    error_code = models.CharField(
        max_length=64, null=True, help_text="VideoGen's error code, if there is one; for filters."
    )
    note = models.CharField(
        max_length=200, blank=True, help_text="Shown on the job's card while it waits: why it waits."
    )
    version = models.PositiveIntegerField(
        default=0, help_text="Number of changes; guards the conditional UPDATE."
    )

    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(null=True, help_text="When the request may have been sent.")
    accepted_at = models.DateTimeField(null=True)
    running_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    duration = models.FloatField(null=True, help_text="Seconds from creation in Rushes to the end.")
    cancel_requested_at = models.DateTimeField(null=True)
    cancel_requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    cancel_accepted_at = models.DateTimeField(
        db_column="cancel_noted_at", null=True, help_text="When VideoGen accepted the cancel request."
    )
    cancel_reason = models.CharField(
        max_length=200,
        blank=True,
        db_default="",
        default="",
        help_text="The reason given by the person who cancelled.",
    )

    # Set by people while the job is not sent yet.
    paused_at = models.DateTimeField(null=True, help_text="If set, the job is not sent until it is resumed.")
    prioritised_at = models.DateTimeField(
        db_column="hastened_at", null=True, help_text="When it was moved to the front of the queue."
    )

    # For the reconciler. These say when to poll or send, never what the status is.
    next_attempt_at = models.DateTimeField(null=True, default=timezone.now)
    attempts = models.PositiveIntegerField(
        default=0, help_text="Failed calls in a row; backoff grows with it."
    )
    leased_until = models.DateTimeField(null=True)
    last_reported_at = models.DateTimeField(db_column="last_heard_at", null=True)

    # VideoGen's responses as received, for inspection.
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
                condition=Q(cancel_accepted_at=None) | Q(cancel_requested_at__isnull=False),
                name="execution_cancel_noted_after_wish",
            ),
        ]
        indexes = [
            models.Index(fields=["next_attempt_at"], name="execution_due", condition=Q(ended_at=None)),
            models.Index(fields=["-id"], name="execution_in_flight", condition=Q(ended_at=None)),
            models.Index(F("ended_at").desc(), F("id").desc(), name="execution_finished"),
            # The columns after the id let the index answer two filters together, without reading rows.
            models.Index(fields=["status", "-id", "tool"], name="execution_status_newest"),
            models.Index(fields=["tool", "-id", "status"], name="execution_tool_newest"),
            # The jobs of a day, for daily reconciliation.
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
            # Jobs of a fast tool are far from the longest of all jobs.
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
            # Partial indexes for columns that few jobs fill.
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
            raise TypeError("Change a job through executions.lifecycle.status_machine.apply, not save().")
        super().save(*args, **kwargs)

    @property
    def is_terminal(self) -> bool:
        return self.status in statuses.TERMINAL

    @property
    def is_to_send(self) -> bool:
        """Not sent yet: it can be paused, edited and cancelled without VideoGen knowing of it."""
        return self.status == statuses.QUEUED and not self.was_sent

    @property
    def was_sent(self) -> bool:
        """The request may have been sent, so the job may exist at VideoGen."""
        return self.sent_at is not None
