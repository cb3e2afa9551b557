"""The deliveries that were kept: checked again, replayed through the same way in, and pruned."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from executions import policy
from executions.lifecycle import transitions
from executions.models import Execution, WebhookDelivery
from executions.models.webhook_delivery import Outcome
from executions.policy import Action, Actor
from executions.videogen import BadSignature, MalformedEvent, parse_event, verify
from executions.videogen.signature import Reason
from executions.webhooks import ingest, signing_secrets

logger = logging.getLogger(__name__)

PRUNED_AT_ONCE = 500


@dataclass(frozen=True)
class Check:
    """What is true of a kept delivery today."""

    signature: str
    """In words."""
    is_good: bool
    effect: str
    """What a replay would change, in words; empty when it would change nothing."""
    may_replay: bool


def check(delivery: WebhookDelivery) -> Check:
    """Verify the signature again, by the rule of its time, and say what a replay would change."""
    if delivery.pruned_at is not None:
        return Check("Its body was removed by the retention rule.", False, "", False)
    signature, is_good = _signature(delivery)
    effect = would_change(delivery)
    return Check(signature, is_good, effect, is_good)


def _signature(delivery: WebhookDelivery) -> tuple[str, bool]:
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
                "The secret that it was signed with is not ours any more, so it cannot be checked again.",
                False,
            )
        return str(error), False
    return "The signature is good.", True


def would_change(delivery: WebhookDelivery) -> str:
    """The status that its job would move to, in words; empty when a replay changes nothing."""
    try:
        event = parse_event(bytes(delivery.body))
    except MalformedEvent:
        return ""
    if event.event not in ingest.STATUS_OF:
        return ""
    execution = Execution.objects.filter(remote_id=event.execution_id).first()
    if execution is None:
        return ""
    change = transitions.decide(ingest.report_of(delivery, event), execution)
    if change is None:
        return ""
    return f"{execution.status} \N{RIGHTWARDS ARROW} {change.columns.get('status', execution.status)}"


def replay(delivery: WebhookDelivery, *, actor: Actor) -> str:
    """Take it in again, as if it had just come. What is known already changes nothing. Returns what came of it."""
    policy.require(actor, Action.DELIVERY_REPLAY)
    found = check(delivery)
    if not found.may_replay:
        return found.signature
    try:
        outcome = ingest.take_in_again(delivery)
    except Exception:
        logger.exception("Delivery %d could not be applied", delivery.pk)
        return "It failed here again; the log says why."
    return {
        Outcome.APPLIED: "Applied.",
        Outcome.TOO_LATE: "It changed nothing: what it says was known.",
        Outcome.UNKNOWN_JOB: "Its job is still not known here.",
        Outcome.FILE: "The file is as it says.",
        Outcome.UNKNOWN_EVENT: "Nothing is known to do about such an event.",
    }[Outcome(outcome)]


def prune() -> int:
    """Remove the bodies of deliveries older than the retention. The rows and the events stay. Returns how many."""
    now = timezone.now()
    old = now - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
    rows = WebhookDelivery.objects.filter(pruned_at=None, received_at__lt=old)
    # One that still waits to have its effect is not old news.
    ids = list(rows.exclude(outcome__in=ingest.WITHOUT_EFFECT).values_list("pk", flat=True)[:PRUNED_AT_ONCE])
    return WebhookDelivery.objects.filter(pk__in=ids).update(body=b"", headers={}, pruned_at=now)
