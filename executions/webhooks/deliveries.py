"""Stored deliveries: search, signature check, replay and pruning."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone

from executions import policy
from executions.audit import record as audit_log
from executions.core.ids import as_uuid
from executions.lifecycle import transitions
from executions.models import Execution, File, WebhookDelivery
from executions.models.event import ActKind
from executions.models.webhook_delivery import Outcome
from executions.policy import Action, Actor
from executions.videogen import BadSignature, MalformedEvent, parse_event, verify
from executions.videogen.signature import Reason
from executions.webhooks import ingest, signing_secrets

logger = logging.getLogger(__name__)

PRUNE_BATCH_SIZE = 500
# Events that report the end of a job begin with this.
FINISHED_EVENTS = "tool_execution."


def search(*, outcome: str = "", event: str = "", job: str = "", file: str = "") -> QuerySet[WebhookDelivery]:
    """The deliveries that match, in no order. `job` and `file` are ids of Rushes or of VideoGen; empty: any."""
    rows = WebhookDelivery.objects.all()
    if outcome:
        rows = rows.filter(outcome=outcome)
    if event:
        rows = rows.filter(event=event)
    if file:
        rows = rows.filter(remote_file_id__in=_remote_file_ids(file))
    return _of_job(rows, job) if job else rows


def _remote_file_ids(file: str) -> list[str]:
    if pk := as_uuid(file):
        return list(File.objects.filter(pk=pk).values_list("remote_id", flat=True))
    return [file]


def _of_job(rows: QuerySet[WebhookDelivery], job: str) -> QuerySet[WebhookDelivery]:
    if pk := as_uuid(job):
        return rows.filter(execution_id=pk)
    known = Execution.objects.filter(remote_id=job).values_list("pk", flat=True).first()
    if known is not None:
        return rows.filter(execution_id=known)
    return rows.filter(remote_execution_id=job, outcome=Outcome.UNKNOWN_JOB)


@dataclass(frozen=True)
class Check:
    """The result of checking a stored delivery now."""

    signature: str
    """The result of the signature check, as a message."""
    is_valid: bool
    effect: str
    """The change that a replay would make, as a message; empty if none."""
    can_replay: bool


def check(delivery: WebhookDelivery) -> Check:
    """Verify the signature as of the time of receipt, and determine the effect of a replay."""
    if delivery.pruned_at is not None:
        return Check("Its body was removed by the retention rule.", False, "", False)
    signature, is_valid = _check_signature(delivery)
    effect = preview_effect(delivery)
    return Check(signature, is_valid, effect, is_valid)


def _check_signature(delivery: WebhookDelivery) -> tuple[str, bool]:
    try:
        verify(
            delivery.headers,
            bytes(delivery.body),
            signing_secrets.all_secrets(),
            delivery.received_at.timestamp(),
        )
    except BadSignature as error:
        if error.reason in (Reason.NO_MATCH, Reason.NO_SECRET):
            return (
                "It was signed with a secret that Rushes no longer has, so it cannot be checked again.",
                False,
            )
        return str(error), False
    return "Valid.", True


def preview_effect(delivery: WebhookDelivery) -> str:
    """The status change that a replay would make, such as "running → succeeded"; empty if none."""
    try:
        event = parse_event(bytes(delivery.body))
    except MalformedEvent:
        return ""
    if event.event not in ingest.STATUS_OF:
        return ""
    execution = Execution.objects.filter(remote_id=event.execution_id).first()
    if execution is None:
        return ""
    change = transitions.decide(ingest.to_observation(delivery, event), execution)
    if change is None:
        return ""
    return f"{execution.status} \N{RIGHTWARDS ARROW} {change.columns.get('status', execution.status)}"


def replay(stored: Sequence[WebhookDelivery], *, actor: Actor) -> list[tuple[WebhookDelivery, str]]:
    """Apply deliveries again, as if they had just arrived. Returns each with its outcome as a message.

    Raises NotAllowed.
    """
    actor_id = policy.require(actor, Action.DELIVERY_REPLAY)
    results = [(delivery, _replay(delivery)) for delivery in stored]
    if results:
        outcomes = {str(delivery.pk): outcome for delivery, outcome in results}
        audit_log.record(ActKind.REPLAYED, actor_id=actor_id, deliveries=outcomes)
    return results


def _replay(delivery: WebhookDelivery) -> str:
    result = check(delivery)
    if not result.can_replay:
        return result.signature
    try:
        outcome = ingest.reapply(delivery)
    except Exception:
        logger.exception("Delivery %d could not be applied", delivery.pk)
        return "The replay failed. See the log for the reason."
    return {
        Outcome.APPLIED: "Applied.",
        Outcome.TOO_LATE: "Nothing to change: this was already known.",
        Outcome.UNKNOWN_JOB: "Its job is still unknown.",
        Outcome.FILE: "Applied to the file.",
        Outcome.UNKNOWN_EVENT: "Rushes does not handle this kind of event.",
    }[Outcome(outcome)]


def finish_received_at(execution: Execution) -> datetime | None:
    """When the first webhook that reported the job's end was received; None if none was."""
    finished = execution.deliveries.filter(event__startswith=FINISHED_EVENTS).order_by("id")
    return finished.values_list("received_at", flat=True).first()


def prune() -> int:
    """Remove the bodies of deliveries older than the retention. The rows and the events stay. Returns their number."""
    now = timezone.now()
    cutoff = now - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    rows = WebhookDelivery.objects.filter(pruned_at=None, received_at__lt=cutoff)
    # Deliveries that were not applied yet keep their bodies.
    ids = list(rows.exclude(outcome__in=ingest.UNAPPLIED).values_list("pk", flat=True)[:PRUNE_BATCH_SIZE])
    return WebhookDelivery.objects.filter(pk__in=ids).update(body=b"", headers={}, pruned_at=now)
