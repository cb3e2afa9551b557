"""Cancels a job: store the request, send it to VideoGen, and let the status it reports decide (docs/api-notes.md#cancelling)."""

from __future__ import annotations

import asyncio
import logging
import uuid

from django.utils import timezone

from executions import policy
from executions.core import runtime
from executions.lifecycle import leases, observations, status_machine
from executions.limits import api_health
from executions.models import Event, Execution
from executions.models.event import Kind, Source
from executions.policy import Action, Actor
from executions.videogen import VideoGenError

logger = logging.getLogger(__name__)


def request(execution: Execution, *, actor: Actor, reason: str = "") -> bool:
    """Store a person's cancel request and its reason. A job that was not sent yet is cancelled at once; otherwise the
    request goes to VideoGen next.

    False when the job has finished, is unconfirmed or has a request already. Raises NotAllowed, after recording the attempt.
    """
    if not policy.can(actor, Action.JOB_CANCEL, execution):
        _record_denial(execution, actor)
        raise policy.NotAllowed(Action.JOB_CANCEL)
    return status_machine.apply(
        execution.pk, observations.CancelRequested(actor_id=policy.id_of(actor), reason=reason[:200])
    )


def _record_denial(execution: Execution, actor: Actor) -> None:
    """Record that a person tried to cancel a job without permission."""
    actor_id = policy.id_of(actor)
    if actor_id is None:
        return
    Event.objects.create(
        execution=execution,
        kind=Kind.CANCEL_REFUSED,
        from_status=execution.status,
        to_status=execution.status,
        source=Source.PERSON,
        actor_id=actor_id,
        occurred_at=timezone.now(),
    )


async def send_request(execution_id: uuid.UUID, remote_id: str) -> bool:
    """Send the cancel request to VideoGen, once. False when it was not accepted: the caller retries while the job runs."""
    try:
        async with asyncio.timeout(leases.CALL_LIMIT):
            await runtime.client().cancel_execution(remote_id)
    except VideoGenError as error:
        await api_health.record_error(error)
        # 400, 404 and 409 may mean that the job has finished: the caller polls it next.
        logger.info("Cancel request for job %s was not accepted: %s", execution_id, error)
        return False
    except TimeoutError:
        return False
    await runtime.in_db(status_machine.apply, execution_id, observations.CancelAccepted())
    return True
