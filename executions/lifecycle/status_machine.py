"""The state machine of a job, and the only place that writes `Execution.status`.

`apply` takes an observation, lets transitions.py decide the change, and writes it in one UPDATE that succeeds only if no
other process wrote in between, together with one event. It accepts any observation, in any order, any number of times,
from any number of processes: a final status never changes, and repeated or late observations change nothing.
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


def start_all(
    jobs: Sequence[Execution], *, actor_id: int | None, details: Mapping[uuid.UUID, dict[str, Any]]
) -> None:
    """Insert new jobs as `queued`, with their first events. executions.sync.submit sends them.

    A job may depend on an earlier one. `details` maps the id of a job to the detail of its first event.
    """
    columns = {
        "kind": Kind.STARTED,
        "to_status": QUEUED,
        "source": Source.PERSON,
        "actor_id": actor_id,
    }
    for job in jobs:
        job.status = QUEUED
    with transaction.atomic():
        Execution.objects.bulk_create(jobs)
        Event.objects.bulk_create(
            Event(execution=job, occurred_at=job.created_at, detail=details.get(job.pk, {}), **columns)
            for job in jobs
        )
        for job in jobs:
            announce_change(job, created=True)


def insert_external(execution: Execution) -> None:
    """Insert a job that was started outside Rushes, as `pending` until VideoGen reports more, with its first event."""
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
        announce_change(execution, created=True)


def apply(
    execution_id: uuid.UUID, observation: observations.Observation, *, row: Execution | None = None
) -> bool:
    """Apply an observation to a job. Returns whether the job changed.

    `row` is the job, if the caller has just read it: this saves a query, and a stale row is detected. Raises
    Execution.DoesNotExist. Joins an outer transaction, which then fails with it.
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
                continue  # another writer was faster: decide again, from what it wrote
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
            announce_change(execution, after=after)
            return True


def announce_change(execution: Execution, *, created: bool = False, after: str | None = None) -> None:
    """Send `execution_changed` when the current transaction has been committed.

    `after` is the new status, if it differs from that of `execution`.
    """
    transaction.on_commit(
        partial(
            execution_changed.send,
            sender=Execution,
            execution_id=execution.pk,
            created=created,
            from_status="" if created else execution.status,
            to_status=after or execution.status,
            owner_id=execution.created_by_id,
            batch_id=execution.batch_id,
        )
    )
