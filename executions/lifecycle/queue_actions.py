"""What a person may do with jobs that wait to be sent: pause, resume, move to the front, edit.

Each act on a job is an observation, decided in transitions.py and written by the machine through its conditional UPDATE: against
a worker that is about to send the job, one of the two wins, and the other is told.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction

from executions import policy
from executions.lifecycle import create, observations
from executions.lifecycle import machine as lifecycle
from executions.models import Batch, Execution, Input
from executions.policy import Action, Actor
from executions.tools import Tool, ValidatedBody

# Jobs that are changed in one transaction: others get to write in between.
CHUNK = 25


# --- one job ----------------------------------------------------------------------------------------------


def pause(execution: Execution, *, actor: Actor) -> bool:
    """Do not send it until it is resumed. False when it was sent, or paused, meanwhile."""
    actor_id = policy.require(actor, Action.JOB_PAUSE, execution)
    return lifecycle.apply(execution.pk, observations.PauseRequested(actor_id=actor_id))


def resume(execution: Execution, *, actor: Actor) -> bool:
    actor_id = policy.require(actor, Action.JOB_RESUME, execution)
    return lifecycle.apply(execution.pk, observations.ResumeRequested(actor_id=actor_id))


def to_the_front(execution: Execution, *, actor: Actor) -> bool:
    """Send it before everything else that waits. False when it was sent meanwhile."""
    actor_id = policy.require(actor, Action.JOB_PRIORITISE, execution)
    return lifecycle.apply(execution.pk, observations.PrioritizeRequested(actor_id=actor_id))


def edit(
    execution: Execution, tool: Tool, body: ValidatedBody, *, before: dict[str, Any], actor: Actor
) -> bool:
    """Ask for something else, while nothing was sent. `before` is the body that the person saw.

    False when it was sent, ended or changed meanwhile, or when `body` is the same as before.
    """
    actor_id = policy.require(actor, Action.JOB_EDIT, execution)
    create.require_validated(body)
    inputs = create.inputs(tool, body)
    edited = observations.Edited(
        actor_id=actor_id,
        before=before,
        body=body,
        title=tool.title(body, {file.remote_id: file.display_name for _, _, file in inputs}),
        fingerprint=create.fingerprint(tool, body),
        inputs=tuple(Input(file=file, field=field, position=place) for field, place, file in inputs),
    )
    return lifecycle.apply(execution.pk, edited)


# --- a batch ----------------------------------------------------------------------------------------------


def pause_batch(batch: Batch, *, actor: Actor) -> int:
    """Pause all of it that waits; how many jobs that were."""
    actor_id = policy.require(actor, Action.BATCH_PAUSE, batch)
    ids = batch.executions.to_send().filter(ended_at=None, paused_at=None)
    return _each(ids.values_list("pk", flat=True), observations.PauseRequested(actor_id=actor_id))


def resume_batch(batch: Batch, *, actor: Actor) -> int:
    actor_id = policy.require(actor, Action.BATCH_RESUME, batch)
    ids = batch.executions.to_send().filter(ended_at=None, paused_at__isnull=False)
    return _each(ids.values_list("pk", flat=True), observations.ResumeRequested(actor_id=actor_id))


def _each(found: Any, observation: observations.Observation) -> int:
    # The last come first: while they are gone through, the first are sent.
    ids: list[uuid.UUID] = list(found.order_by("-id"))
    changed = 0
    for first in range(0, len(ids), CHUNK):
        with transaction.atomic():
            changed += sum(lifecycle.apply(pk, observation) for pk in ids[first : first + CHUNK])
    return changed
