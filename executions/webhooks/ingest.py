"""Takes in a verified webhook delivery: stored once, applied in the same transaction, then acknowledged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from executions.files import uploads
from executions.files.store import store_file
from executions.lifecycle import errors, observations
from executions.lifecycle import machine as lifecycle
from executions.models import Execution, File, WebhookDelivery
from executions.models.event import Source
from executions.models.webhook_delivery import Outcome
from executions.statuses import CANCELLED, FAILED, SUCCEEDED
from executions.videogen import Event, parse_event

STATUS_OF = {
    "tool_execution.succeeded": SUCCEEDED,
    "tool_execution.failed": FAILED,
    "tool_execution.cancelled": CANCELLED,
}
# Events carry the file without the state of its analysis.
ANALYSIS_OF = {"file.analysis_completed": "FULFILLED", "file.analysis_failed": "REJECTED"}
REPEAT = "repeat"
# Kept, and still to be applied.
WITHOUT_EFFECT = (Outcome.UNKNOWN_JOB, Outcome.FAILED)


def _kept(webhook_id: str, event: Event, headers: Mapping[str, str], body: bytes) -> WebhookDelivery:
    """As it is to be stored, but for its outcome."""
    return WebhookDelivery(
        webhook_id=webhook_id,
        event=event.event[:100],
        remote_execution_id=(event.execution_id or "")[:128],
        remote_file_id=(event.file_id or "")[:128],
        headers=dict(headers),
        body=body,
        occurred_at=event.occurred_at,
    )


def receive(webhook_id: str, event: Event, headers: Mapping[str, str], body: bytes) -> str:
    """Store the delivery and apply what it says. Returns its outcome; `repeat` when it was here before.

    The delivery and its effect are one transaction: a crash before the commit leaves nothing, and VideoGen
    sends it again; one after it makes the next attempt a repeat.
    """
    delivery = _kept(webhook_id, event, headers, body)
    delivery.outcome = _outcome_before(event)
    try:
        with transaction.atomic():
            if delivery.outcome == Outcome.UNKNOWN_JOB:
                delivery.execution = Execution.objects.filter(remote_id=event.execution_id).first()
            if delivery.execution is not None:
                # Nearly always it is news; where it is not, that is put right below.
                delivery.outcome = Outcome.APPLIED
            delivery.save(force_insert=True)
            if delivery.execution is not None:
                if not _observe(delivery.execution, delivery, event):
                    delivery.outcome = Outcome.TOO_LATE
                    delivery.save(update_fields=["outcome"])
            elif delivery.outcome == Outcome.UNKNOWN_JOB:
                # The answer that names its job may be taken in at this moment, by a transaction that cannot
                # see this delivery yet, as this one cannot see that job.
                again = partial(apply_waiting, delivery.remote_execution_id)
                transaction.on_commit(again, robust=True)
            elif delivery.outcome == Outcome.FILE:
                _refresh_file(event)
    except IntegrityError:
        known = WebhookDelivery.objects.filter(webhook_id=webhook_id)
        if not known.update(repeats=F("repeats") + 1):
            raise
        failed = known.filter(outcome=Outcome.FAILED).first()
        return take_in_again(failed) if failed is not None else REPEAT
    return delivery.outcome


def keep_failed(webhook_id: str, event: Event, headers: Mapping[str, str], body: bytes) -> None:
    """Store a delivery that could not be applied, through a fault of ours: it can be replayed once that is mended."""
    delivery = _kept(webhook_id, event, headers, body)
    delivery.outcome = Outcome.FAILED
    try:
        with transaction.atomic():
            delivery.save(force_insert=True)
    except IntegrityError:
        return  # it is kept already


def take_in_again(delivery: WebhookDelivery) -> str:
    """A replay: the same effect once more, which is none when it had its effect. Returns the outcome."""
    event = parse_event(bytes(delivery.body))
    outcome = _outcome_before(event)
    with transaction.atomic():
        if outcome == Outcome.UNKNOWN_JOB:
            return _apply(delivery, event)
        if outcome == Outcome.FILE:
            _refresh_file(event)
        WebhookDelivery.objects.filter(pk=delivery.pk, outcome=Outcome.FAILED).update(outcome=outcome)
    return outcome


def receive_all(deliveries: Iterable[tuple[str, Event, Mapping[str, str], bytes]]) -> list[str | Exception]:
    """The same for several, in one transaction. What one of them raises is its own outcome.

    Raises what the database itself is troubled with: then none of them is stored, and all are sent again.
    """
    outcomes: list[str | Exception] = []
    with transaction.atomic():
        for delivery in deliveries:
            try:
                outcomes.append(receive(*delivery))
            except (OperationalError, InterfaceError):
                raise
            except Exception as error:
                # Its savepoint was rolled back: the others are untouched.
                outcomes.append(error)
        if transaction.get_rollback():
            # Even that failed, and the end of this block undoes everything without a word.
            raise OperationalError("the deliveries that came together were rolled back")
    return outcomes


def apply_waiting(remote_id: str) -> None:
    """Apply the deliveries that came before their job was known here."""
    waiting = WebhookDelivery.objects.filter(remote_execution_id=remote_id, outcome=Outcome.UNKNOWN_JOB)
    for delivery in waiting.order_by("id"):
        with transaction.atomic():
            _apply(delivery, parse_event(bytes(delivery.body)))


def _outcome_before(event: Event) -> str:
    """What kind of delivery it is; a job's is unknown until its job is found."""
    if event.event in STATUS_OF and event.execution_id:
        return Outcome.UNKNOWN_JOB
    if event.event.startswith("file.") and event.file is not None:
        return Outcome.FILE
    return Outcome.UNKNOWN_EVENT


def _apply(delivery: WebhookDelivery, event: Event) -> str:
    """Apply a delivery that is kept already. Returns what came of it."""
    this = WebhookDelivery.objects.filter(pk=delivery.pk)
    execution = Execution.objects.filter(remote_id=event.execution_id).first()
    if execution is None:
        this.filter(outcome=Outcome.FAILED).update(outcome=Outcome.UNKNOWN_JOB)
        return Outcome.UNKNOWN_JOB
    outcome = Outcome.APPLIED if _observe(execution, delivery, event) else Outcome.TOO_LATE
    # Who applies it a second time at the same moment has nothing to say about how it went.
    this.filter(outcome__in=WITHOUT_EFFECT).update(outcome=outcome, execution=execution)
    return outcome


def _observe(execution: Execution, delivery: WebhookDelivery, event: Event) -> bool:
    """Let the job know what the delivery says. True when that changed it."""
    return lifecycle.apply(execution.pk, report_of(delivery, event), row=execution)


def report_of(delivery: WebhookDelivery, event: Event) -> observations.StatusReported:
    """What a delivery about a job says, as the lifecycle takes it."""
    return observations.StatusReported(
        source=Source.WEBHOOK,
        at=event.occurred_at or timezone.now(),
        delivery_id=delivery.pk,
        status=STATUS_OF[event.event],
        results=event.results,
        error=errors.from_report(event.error),
        answer=event.raw,
    )


def _refresh_file(event: Event) -> None:
    """News of a file that we keep. Files of others are none of ours, until the library asks for them."""
    if event.file is None or not File.objects.filter(remote_id=event.file.file_id).exists():
        return
    file = store_file(event.file)
    if event.event in ANALYSIS_OF:
        File.objects.filter(pk=file.pk).update(analysis_state=ANALYSIS_OF[event.event])
    words = event.error.message if event.error else "VideoGen could not take this upload."
    uploads.apply_report(file, event.file, failure=words if event.event == "file.upload.failed" else "")
