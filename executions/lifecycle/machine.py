"""The status machine: the only place that writes a job's status.

`apply` takes an observation, lets transitions.py decide what it changes, and writes the change by one
UPDATE that holds only if no other process wrote in between, together with one event. It may be called with
anything, in any order, any number of times, from any number of processes: a terminal status never changes,
what is already known changes nothing, and what comes too late is ignored.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import transaction

from executions.lifecycle import observations
from executions.lifecycle.transitions import decide
from executions.models import Event, Execution
from executions.models.event import Kind, Source
from executions.signals import execution_changed
from executions.statuses import PENDING, QUEUED


def start(execution: Execution, *, actor_id: int | None, **detail: Any) -> Execution:
    """Write a new job, `queued`, and the event that it began with. executions.sync.submit sends it."""
    start_all([execution], actor_id=actor_id, details={execution.pk: detail})
    return execution


def start_all(
    jobs: Sequence[Execution],
    *,
    actor_id: int | None,
    source: Source = Source.PERSON,
    details: Mapping[uuid.UUID, dict[str, Any]] | None = None,
) -> None:
    """The same for many, in as few statements as the database takes. A job may wait for one before it.

    `details` is what else is worth knowing about how a job began, by its id.
    """
    told = details or {}
    began = {
        "kind": Kind.STARTED,
        "to_status": QUEUED,
        "source": source,
        "actor_id": actor_id,
    }
    for job in jobs:
        job.status = QUEUED
    with transaction.atomic():
        Execution.objects.bulk_create(jobs)
        Event.objects.bulk_create(
            Event(execution=job, occurred_at=job.created_at, detail=told.get(job.pk, {}), **began)
            for job in jobs
        )
        for job in jobs:
            tell(job, before="", after=QUEUED)


def take_over(execution: Execution) -> None:
    """Write a job that was started elsewhere, `pending` until VideoGen tells more, and the event that we met it."""
    execution.status = PENDING
    with transaction.atomic():
        execution.save(force_insert=True)
        Event.objects.create(
            execution=execution,
            kind=Kind.STARTED,
            to_status=PENDING,
            source=Source.SYSTEM,
            occurred_at=execution.created_at,
            detail={"origin": execution.origin, "remote_id": execution.remote_id},
        )
        tell(execution, before="", after=PENDING)


def apply(
    execution_id: uuid.UUID, observation: observations.Observation, *, row: Execution | None = None
) -> bool:
    """Let a job know what was observed. True when that changed it.

    `row` is the job, if it was just read: that spares a query, and an old one is found out. Raises
    Execution.DoesNotExist. Inside an outer transaction it becomes a part of that: what fails here fails there.
    """
    while True:
        with transaction.atomic(savepoint=False):
            execution = row or Execution.objects.get(pk=execution_id)
            row = None
            change = decide(observation, execution)
            if change is None:
                return False
            guard = Execution.objects.filter(pk=execution_id, version=execution.version)
            if not guard.update(**change.columns, version=execution.version + 1):
                continue  # somebody else was faster: what they wrote decides what this still means
            before = execution.status
            after = change.columns.get("status", before)
            if change.kind is not None:
                Event.objects.create(
                    execution=execution,
                    kind=change.kind,
                    from_status=before,
                    to_status=after,
                    source=observation.source,
                    actor_id=observation.actor_id,
                    delivery_id=observation.delivery_id,
                    occurred_at=observation.at,
                    detail=change.detail,
                )
            if change.then is not None:
                change.then(execution)
            tell(execution, before=before, after=after)
            return True


def tell(execution: Execution, *, before: str | None = None, after: str | None = None) -> None:
    """Say to the rest of the house that a job changed, once that is true for everybody."""
    transaction.on_commit(
        partial(
            execution_changed.send,
            sender=Execution,
            execution_id=execution.pk,
            created=before == "",
            from_status=execution.status if before is None else before,
            to_status=execution.status if after is None else after,
            owner_id=execution.created_by_id,
            batch_id=execution.batch_id,
        )
    )
