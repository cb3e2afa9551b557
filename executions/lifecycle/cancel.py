"""Stops a job: the wish is written first, then VideoGen is asked, and what it reports decides (docs/api-notes.md#cancelling)."""

from __future__ import annotations

import asyncio
import logging
import uuid

from django.utils import timezone

from executions import policy
from executions.core import runtime
from executions.lifecycle import leases, observations
from executions.lifecycle import machine as lifecycle
from executions.limits import api_health
from executions.models import Event, Execution
from executions.models.event import Kind, Source
from executions.policy import Action, Actor
from executions.videogen import VideoGenError

logger = logging.getLogger(__name__)


def request(execution: Execution, *, actor: Actor, reason: str = "") -> bool:
    """Note a person's wish to stop the job, and why. What was not sent yet ends at once; else VideoGen is asked next.

    False when the wish came too late, or was there already. Raises NotAllowed, after writing down who tried.
    """
    if not policy.can(actor, Action.JOB_CANCEL, execution):
        _refused(execution, actor)
        raise policy.NotAllowed(Action.JOB_CANCEL)
    return lifecycle.apply(
        execution.pk, observations.CancelRequested(actor_id=policy.id_of(actor), reason=reason[:200])
    )


def _refused(execution: Execution, actor: Actor) -> None:
    """Write down that a person who may not stop this job wanted to."""
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


async def ask(execution_id: uuid.UUID, remote_id: str) -> bool:
    """Tell VideoGen of the wish, once. True when it took it; else it is asked again while the job still runs."""
    try:
        async with asyncio.timeout(leases.CALL_LIMIT):
            await runtime.client().cancel_execution(remote_id)
    except VideoGenError as error:
        await api_health.record_error(error)
        # 400, 404 and 409 may mean that it has ended: whoever asked reads the job next.
        logger.info("Cancelling %s was not taken: %s", execution_id, error)
        return False
    except TimeoutError:
        return False
    await runtime.in_db(lifecycle.apply, execution_id, observations.CancelAccepted())
    return True
