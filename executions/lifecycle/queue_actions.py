"""Actions on queued jobs: pause, resume, move to the front, edit.

Each action is an observation, decided in transitions.py and written by the machine's conditional UPDATE. If a worker is
about to submit the job, one of the two succeeds and the other returns False.
"""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction

from executions import policy
from executions.lifecycle import create, observations, status_machine
from executions.models import Batch, Execution, Input
from executions.policy import Action, Actor
from executions.tools import Tool, ValidatedBody

# Jobs changed per transaction, so that other writers get their turn.
CHUNK_SIZE = 25


# --- one job ----------------------------------------------------------------------------------------------


def pause(execution: Execution, *, actor: Actor) -> bool:
    """Hold the job back until it is resumed. False if it was submitted or paused meanwhile. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.JOB_PAUSE, execution)
    return status_machine.apply(execution.pk, observations.PauseRequested(actor_id=actor_id))


def resume(execution: Execution, *, actor: Actor) -> bool:
    actor_id = policy.require(actor, Action.JOB_RESUME, execution)
    return status_machine.apply(execution.pk, observations.ResumeRequested(actor_id=actor_id))


def move_to_front(execution: Execution, *, actor: Actor) -> bool:
    """Submit the job before all other queued ones. False if it was submitted meanwhile. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.JOB_PRIORITISE, execution)
    return status_machine.apply(execution.pk, observations.PrioritiseRequested(actor_id=actor_id))


def edit(
    execution: Execution, tool: Tool, body: ValidatedBody, *, before: dict[str, Any], actor: Actor
) -> bool:
    """Replace the request of a queued job. `before` is the body that the person saw.

    False if the job was submitted, finished or changed meanwhile, or if `body` equals `before`. Raises NotAllowed.
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
        inputs=tuple(Input(file=file, field=field, position=position) for field, position, file in inputs),
    )
    return status_machine.apply(execution.pk, edited)


# --- a batch ----------------------------------------------------------------------------------------------


def pause_batch(batch: Batch, *, actor: Actor) -> int:
    """Pause all queued jobs of the batch. Returns their number. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.BATCH_PAUSE, batch)
    ids = batch.executions.to_send().filter(ended_at=None, paused_at=None)
    return _apply_to_all(ids.values_list("pk", flat=True), observations.PauseRequested(actor_id=actor_id))


def resume_batch(batch: Batch, *, actor: Actor) -> int:
    actor_id = policy.require(actor, Action.BATCH_RESUME, batch)
    ids = batch.executions.to_send().filter(ended_at=None, paused_at__isnull=False)
    return _apply_to_all(ids.values_list("pk", flat=True), observations.ResumeRequested(actor_id=actor_id))


def _apply_to_all(rows: Any, observation: observations.Observation) -> int:
    # Start at the end: the first jobs are submitted in the meantime.
    ids: list[uuid.UUID] = list(rows.order_by("-id"))
    changed = 0
    for first in range(0, len(ids), CHUNK_SIZE):
        with transaction.atomic():
            changed += sum(status_machine.apply(pk, observation) for pk in ids[first : first + CHUNK_SIZE])
    return changed
