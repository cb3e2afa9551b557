"""Submits a queued job to VideoGen, once.

The row says what may have happened at every moment. Before the request leaves, `sent_at` is written; a process
that dies after that leaves a row of which no one can know whether it was accepted, and it becomes `unconfirmed`.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError
from django.utils import timezone

from executions import tools
from executions.core import backoff, runtime
from executions.lifecycle import chains, errors, leases, observations, queue_state
from executions.lifecycle import machine as lifecycle
from executions.limits import api_health
from executions.models import Execution
from executions.models.event import Source
from executions.videogen import (
    AnswerLost,
    Forbidden,
    RateLimited,
    Refused,
    ServerError,
    Unauthorized,
    Unreachable,
    VideoGenError,
)
from executions.webhooks import ingest

logger = logging.getLogger(__name__)

# Seconds between tries to write what came of a request, and before the end of its lease after which none begins: one
# may take as long as the pool waits for a connection.
PAUSES = (0.1, 0.4, 1.0, 2.0, 4.0, 5.0)
MARGIN = 11.0
# Without any word from VideoGen about when the limit ends.
LIMITED = timedelta(seconds=60)


async def send(execution_id: uuid.UUID) -> None:
    """Send a queued job, unless somebody else is doing so already."""
    if await runtime.in_db(leases.claim, execution_id):
        await send_claimed(execution_id)


async def send_claimed(execution_id: uuid.UUID) -> None:
    """Send a queued job that this process holds the lease of. Returns when what came of it is written."""
    request = await runtime.in_db(_begin, execution_id)
    if request is None:
        return
    slug, body, failures = request
    until = asyncio.get_running_loop().time() + leases.LEASE.total_seconds() - MARGIN
    observation = await _ask(slug, body, failures)
    try:
        await _keep(execution_id, observation, until)
    except IntegrityError:
        # An id that another job has already: whatever runs there, it is not known to be this one.
        lost = observations.ResponseLost(reason="VideoGen answered with the id of another job")
        await _keep(execution_id, lost, until)
    else:
        if isinstance(observation, observations.Accepted):
            # A webhook can be faster than the answer that names its job: what waited for it counts now.
            await runtime.in_db(ingest.apply_waiting, observation.remote_id)


async def _keep(execution_id: uuid.UUID, observation: observations.Observation, until: float) -> None:
    """Write what came of a request, which nobody else knows: a database that is away for a moment is waited for.

    `until` is the loop's time after which that is no longer ours to do: the lease has ended.
    """
    for pause in (*PAUSES, None):
        try:
            await runtime.in_db(lifecycle.apply, execution_id, observation)
        except (OperationalError, InterfaceError) as error:
            if pause is None or asyncio.get_running_loop().time() + pause > until:
                raise
            logger.warning("What came of job %s could not be written yet: %s", execution_id, error)
            await asyncio.sleep(pause)
        else:
            return


def _begin(execution_id: uuid.UUID) -> tuple[str, dict[str, Any], int] | None:
    """Write that the request is about to leave. None when the job is not to be sent now."""
    execution = Execution.objects.select_related("after").get(pk=execution_id)
    if execution.was_sent:
        # Its worker died between the request and the answer.
        lifecycle.apply(
            execution_id, observations.ResponseLost(source=Source.SYSTEM, reason="we stopped in the middle")
        )
        return None
    is_held, until = queue_state.hold(execution)
    if is_held:
        leases.release(execution_id, until)
        return None
    body = execution.request_body
    if execution.after is not None:
        filled = chains.filled_body(execution)
        if filled is None:
            return None
        body = filled
    if not lifecycle.apply(
        execution_id, observations.SubmissionStarted(body=body, made_from=execution.request_body)
    ):
        # It ended, was paused or was edited meanwhile; if it is still to be sent, that is done next.
        leases.release(execution_id)
        return None
    return execution.tool, body, execution.attempts


async def _ask(slug: str, body: dict[str, Any], failures: int) -> observations.Observation:
    """Send the request, once, and put what came back into words that the lifecycle knows."""
    try:
        async with asyncio.timeout(leases.CALL_LIMIT):
            wire = tools.find(slug).request(body, settings.VIDEOGEN_API_ERA)
            accepted = await runtime.client().start_tool(slug, wire)
    except VideoGenError as error:
        await api_health.record_error(error)
        return _observation_of(error, failures)
    except TimeoutError:
        return observations.ResponseLost(reason=f"no answer within {leases.CALL_LIMIT:.0f} seconds")
    await api_health.record_success()
    return observations.Accepted(remote_id=accepted.execution_id, answer=accepted.raw)


def _observation_of(error: VideoGenError, failures: int) -> observations.Observation:
    now = timezone.now()
    match error:
        case RateLimited() if not error.out_of_credits:
            wait = LIMITED if error.retry_after is None else timedelta(seconds=error.retry_after)
            if failures or not wait:
                # A hint that was no use, or is none: each refused start counts as well, and is written down.
                wait = max(wait, backoff.delay(failures))
            return observations.SubmissionDeferred(
                reason="the hourly limit is used up", next_attempt_at=now + wait
            )
        case Unauthorized() | Forbidden() | Refused():
            return observations.Rejected(error=errors.of_refusal(error), answer=error.raw)
        case Unreachable():
            logger.warning("VideoGen cannot be reached: %s", error)
            until = now + backoff.delay(failures)
            return observations.SubmissionDeferred(reason="VideoGen cannot be reached", next_attempt_at=until)
        case ServerError():
            return observations.ResponseLost(
                reason=f"VideoGen answered with an error of its own ({error.status})"
            )
        case AnswerLost():
            return observations.ResponseLost(reason=error.message)
    return observations.ResponseLost(reason=error.message)
