"""Submits a queued job to VideoGen, once.

`sent_at` is written before the request leaves, so the row always shows what may have happened. If the process dies after
that, the job may or may not have been accepted, and it becomes `unconfirmed`.
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

from executions import tools, videogen
from executions.core import backoff, runtime
from executions.lifecycle import chains, errors, leases, observations, queue_state, status_machine
from executions.limits import api_health
from executions.models import Execution
from executions.models.event import Source
from executions.webhooks import ingest

logger = logging.getLogger(__name__)

# Seconds between attempts to store an outcome. No attempt begins less than LEASE_MARGIN seconds before the lease expires:
# one may take as long as the pool waits for a connection.
RETRY_DELAYS = (0.1, 0.4, 1.0, 2.0, 4.0, 5.0)
LEASE_MARGIN = 11.0
# Used when VideoGen does not report when the limit resets.
DEFAULT_RETRY_AFTER = timedelta(seconds=60)


async def send(execution_id: uuid.UUID) -> None:
    """Submit a queued job, unless another worker is doing so."""
    if await runtime.in_db(leases.claim, execution_id):
        await send_claimed(execution_id)


async def send_claimed(execution_id: uuid.UUID) -> None:
    """Submit a queued job whose lease this process holds. Returns when the outcome is stored."""
    request = await runtime.in_db(_prepare, execution_id)
    if request is None:
        return
    slug, body, failures = request
    until = asyncio.get_running_loop().time() + leases.LEASE.total_seconds() - LEASE_MARGIN
    observation = await _submit(slug, body, failures)
    try:
        await _store_outcome(execution_id, observation, until)
    except IntegrityError:
        # The id belongs to another job already, so we cannot know what runs under it.
        lost = observations.SubmissionUnconfirmed(reason="VideoGen responded with the id of another job")
        await _store_outcome(execution_id, lost, until)
    else:
        if isinstance(observation, observations.Accepted):
            # A webhook can arrive before the response that names its job. Apply the deliveries that waited.
            await runtime.in_db(ingest.apply_pending, observation.remote_id)


async def _store_outcome(
    execution_id: uuid.UUID, observation: observations.Observation, until: float
) -> None:
    """Store the outcome of a request. Only this process knows it, so database outages are retried.

    `until` is the loop time at which the lease is about to expire; no retry begins after it.
    """
    for delay in (*RETRY_DELAYS, None):
        try:
            await runtime.in_db(status_machine.apply, execution_id, observation)
        except (OperationalError, InterfaceError) as error:
            if delay is None or asyncio.get_running_loop().time() + delay > until:
                raise
            logger.warning("Could not store the outcome of job %s, retrying: %s", execution_id, error)
            await asyncio.sleep(delay)
        else:
            return


def _prepare(execution_id: uuid.UUID) -> tuple[str, dict[str, Any], int] | None:
    """Record that the request is about to be sent. Returns tool, body and number of failures; None if it may not be sent now."""
    execution = Execution.objects.select_related("after").get(pk=execution_id)
    if execution.was_sent:
        # The worker died between the request and the response.
        status_machine.apply(
            execution_id,
            observations.SubmissionUnconfirmed(
                source=Source.SYSTEM, reason="Rushes stopped before the response arrived"
            ),
        )
        return None
    is_held, until = queue_state.check_hold(execution)
    if is_held:
        leases.release(execution_id, until)
        return None
    body = execution.request_body
    if execution.after is not None:
        completed = chains.completed_body(execution)
        if completed is None:
            return None
        body = completed
    if not status_machine.apply(
        execution_id, observations.SubmissionStarted(body=body, based_on=execution.request_body)
    ):
        # It was cancelled, paused or edited meanwhile. If it is still queued, the next claim submits it.
        leases.release(execution_id)
        return None
    return execution.tool, body, execution.attempts


async def _submit(slug: str, body: dict[str, Any], failures: int) -> observations.Observation:
    """Send the request, once, and convert the response to an observation."""
    try:
        async with asyncio.timeout(leases.CALL_LIMIT):
            wire = tools.find(slug).request(body, settings.VIDEOGEN_API_ERA)
            accepted = await runtime.client().start_tool(slug, wire)
    except videogen.VideoGenError as error:
        await api_health.record_error(error)
        return _to_observation(error, failures)
    except TimeoutError:
        return observations.SubmissionUnconfirmed(
            reason=f"no response within {leases.CALL_LIMIT:.0f} seconds"
        )
    await api_health.record_success()
    return observations.Accepted(remote_id=accepted.execution_id, answer=accepted.raw)


def _to_observation(error: videogen.VideoGenError, failures: int) -> observations.Observation:
    now = timezone.now()
    match error:
        case videogen.RateLimited() if not error.out_of_credits:
            wait = DEFAULT_RETRY_AFTER if error.retry_after is None else timedelta(seconds=error.retry_after)
            if failures or not wait:
                # Retry-After was wrong or zero. Rejected submissions count against the limit too, and each is recorded.
                wait = max(wait, backoff.delay(failures))
            return observations.SubmissionDeferred(
                reason="the hourly limit is used up", next_attempt_at=now + wait
            )
        case videogen.Rejected():
            return observations.SubmissionRejected(error=errors.from_rejection(error), answer=error.raw)
        case videogen.Unreachable():
            logger.warning("VideoGen cannot be reached: %s", error)
            until = now + backoff.delay(failures)
            return observations.SubmissionDeferred(reason="VideoGen cannot be reached", next_attempt_at=until)
        case videogen.ServerError():
            return observations.SubmissionUnconfirmed(
                reason=f"VideoGen responded with an internal error ({error.status})"
            )
    return observations.SubmissionUnconfirmed(reason=error.message)
