"""Ingests a verified webhook delivery: stores it once and applies it in the same transaction, before it is acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from executions.files import uploads
from executions.files.store import store_file
from executions.lifecycle import errors, observations, status_machine
from executions.models import Execution, File, WebhookDelivery
from executions.models.event import Source
from executions.models.webhook_delivery import Outcome
from executions.statuses import CANCELLED, FAILED, SUCCEEDED
from executions.videogen import WebhookEvent, parse_event

STATUS_OF = {
    "tool_execution.succeeded": SUCCEEDED,
    "tool_execution.failed": FAILED,
    "tool_execution.cancelled": CANCELLED,
}
# Events contain the file without the state of its analysis.
ANALYSIS_OF = {"file.analysis_completed": "FULFILLED", "file.analysis_failed": "REJECTED"}
REPEAT = "repeat"
# Outcomes of deliveries that are stored and still have to be applied.
UNAPPLIED = (Outcome.UNKNOWN_JOB, Outcome.FAILED)


def _new_delivery(
    webhook_id: str, event: WebhookEvent, headers: Mapping[str, str], body: bytes
) -> WebhookDelivery:
    """The delivery as it is stored, without its outcome."""
    return WebhookDelivery(
        webhook_id=webhook_id,
        event=event.event[:100],
        remote_execution_id=(event.execution_id or "")[:128],
        remote_file_id=(event.file_id or "")[:128],
        headers=dict(headers),
        body=body,
        occurred_at=event.occurred_at,
    )


def receive(webhook_id: str, event: WebhookEvent, headers: Mapping[str, str], body: bytes) -> str:
    """Store a delivery and apply it. Returns the outcome, or REPEAT if it was received before.

    The delivery and its effect are one transaction. After a crash before the commit nothing is stored, and VideoGen
    sends it again; after a crash following the commit, the next attempt is a repeat.
    """
    delivery = _new_delivery(webhook_id, event, headers, body)
    delivery.outcome = _initial_outcome(event)
    try:
        with transaction.atomic():
            if delivery.outcome == Outcome.UNKNOWN_JOB:
                delivery.execution = Execution.objects.filter(remote_id=event.execution_id).first()
            if delivery.execution is not None:
                # Nearly always right, which saves a query. Corrected below otherwise.
                delivery.outcome = Outcome.APPLIED
            delivery.save(force_insert=True)
            if delivery.execution is not None:
                observation = to_observation(delivery, event)
                if not status_machine.apply(delivery.execution.pk, observation, row=delivery.execution):
                    delivery.outcome = Outcome.TOO_LATE
                    delivery.save(update_fields=["outcome"])
            elif delivery.outcome == Outcome.UNKNOWN_JOB:
                # The response that names its job may be stored at this moment, by a transaction that cannot see this
                # delivery yet, as this one cannot see the job. Look for the job again after the commit.
                retry = partial(apply_pending, delivery.remote_execution_id)
                transaction.on_commit(retry, robust=True)
            elif delivery.outcome == Outcome.FILE:
                _refresh_file(event)
    except IntegrityError:
        earlier = WebhookDelivery.objects.filter(webhook_id=webhook_id)
        if not earlier.update(repeats=F("repeats") + 1):
            raise
        failed = earlier.filter(outcome=Outcome.FAILED).first()
        return reapply(failed) if failed is not None else REPEAT
    return delivery.outcome


def store_failed(webhook_id: str, event: WebhookEvent, headers: Mapping[str, str], body: bytes) -> None:
    """Store a delivery that an error in Rushes prevented from being applied, so that it can be replayed after the fix."""
    delivery = _new_delivery(webhook_id, event, headers, body)
    delivery.outcome = Outcome.FAILED
    try:
        with transaction.atomic():
            delivery.save(force_insert=True)
    except IntegrityError:
        return  # it is stored already


def reapply(delivery: WebhookDelivery) -> str:
    """Apply a stored delivery again. It changes nothing if it was applied before. Returns the outcome."""
    event = parse_event(bytes(delivery.body))
    outcome = _initial_outcome(event)
    with transaction.atomic():
        if outcome == Outcome.UNKNOWN_JOB:
            return _apply(delivery, event)
        if outcome == Outcome.FILE:
            _refresh_file(event)
        WebhookDelivery.objects.filter(pk=delivery.pk, outcome=Outcome.FAILED).update(outcome=outcome)
    return outcome


def receive_many(
    deliveries: Iterable[tuple[str, WebhookEvent, Mapping[str, str], bytes]],
) -> list[str | Exception]:
    """Receive several deliveries in one transaction. An error of one of them takes the place of its outcome.

    Raises OperationalError or InterfaceError when the database fails: then none is stored, and VideoGen sends all again.
    """
    outcomes: list[str | Exception] = []
    with transaction.atomic():
        for delivery in deliveries:
            try:
                outcomes.append(receive(*delivery))
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:
                # Only its savepoint was rolled back; the others are not affected.
                outcomes.append(error)
        if transaction.get_rollback():
            # Rolling back a savepoint failed too: the end of this block would undo everything silently.
            raise OperationalError("the batch of deliveries was rolled back")
    return outcomes


def apply_pending(remote_id: str) -> None:
    """Apply the deliveries that arrived before their job was known."""
    pending = WebhookDelivery.objects.filter(remote_execution_id=remote_id, outcome=Outcome.UNKNOWN_JOB)
    for delivery in pending.order_by("id"):
        with transaction.atomic():
            _apply(delivery, parse_event(bytes(delivery.body)))


def _initial_outcome(event: WebhookEvent) -> str:
    """The outcome by kind of event. That of a job is UNKNOWN_JOB until its job has been found."""
    if event.event in STATUS_OF and event.execution_id:
        return Outcome.UNKNOWN_JOB
    if event.event.startswith("file.") and event.file is not None:
        return Outcome.FILE
    return Outcome.UNKNOWN_EVENT


def _apply(delivery: WebhookDelivery, event: WebhookEvent) -> str:
    """Apply a stored delivery to its job. Returns the outcome."""
    row = WebhookDelivery.objects.filter(pk=delivery.pk)
    execution = Execution.objects.filter(remote_id=event.execution_id).first()
    if execution is None:
        row.filter(outcome=Outcome.FAILED).update(outcome=Outcome.UNKNOWN_JOB)
        return Outcome.UNKNOWN_JOB
    has_changed = status_machine.apply(execution.pk, to_observation(delivery, event), row=execution)
    outcome = Outcome.APPLIED if has_changed else Outcome.TOO_LATE
    # If it is applied twice at the same time, only the first one writes the outcome.
    row.filter(outcome__in=UNAPPLIED).update(outcome=outcome, execution=execution)
    return outcome


def to_observation(delivery: WebhookDelivery, event: WebhookEvent) -> observations.StatusReported:
    """The observation that a delivery about a job stands for."""
    return observations.StatusReported(
        source=Source.WEBHOOK,
        at=event.occurred_at or timezone.now(),
        delivery_id=delivery.pk,
        status=STATUS_OF[event.event],
        results=event.results,
        error=errors.from_report(event.error),
        answer=event.raw,
    )


def _refresh_file(event: WebhookEvent) -> None:
    """Update a file from an event. Files that we do not track are ignored; the library imports them on demand."""
    if event.file is None or not File.objects.filter(remote_id=event.file.file_id).exists():
        return
    file = store_file(event.file)
    if event.event in ANALYSIS_OF:
        File.objects.filter(pk=file.pk).update(analysis_state=ANALYSIS_OF[event.event])
    message = event.error.message if event.error else "VideoGen could not process this upload."
    uploads.apply_report(file, event.file, failure=message if event.event == "file.upload.failed" else "")
