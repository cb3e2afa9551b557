"""Creates a job: its row, its input files and its first event. executions/sync/submit.py sends it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from executions import policy
from executions.lifecycle import leases, status_machine
from executions.models import Batch, Execution, File, Input
from executions.policy import Action, Actor
from executions.statuses import SUCCEEDED, UNCONFIRMED
from executions.tools import Tool, ValidatedBody, already_validated, find


def start(
    *,
    tool: Tool,
    body: ValidatedBody,
    actor: Actor,
    key: str | None = None,
    title: str = "",
    batch: Batch | None = None,
    after: Execution | None = None,
    after_field: str = "",
    not_before: datetime | None = None,
    leased: bool = False,
    rerun_of: Execution | None = None,
) -> tuple[Execution, bool]:
    """Create a queued job. The second value is False when `key` has created one before: then that one is returned.

    `body` uses our field names (executions/tools/api_versions.py). `key` is the form's idempotency key: a double click,
    a resent form and the back button create one job. `after` is a job whose first result fills `after_field` of the body
    (chains.py). `not_before` delays the submission. `rerun_of` is the job that is run again; the event names it. `leased`
    leases the job to the caller, who submits it with `send_claimed` and learns the outcome. Raises NotAllowed.
    """
    require_validated(body)
    actor_id = _require_permission(actor, rerun_of)
    input_files = inputs(tool, body)
    names = {file.remote_id: file.display_name for _, _, file in input_files}
    execution = Execution(
        tool=tool.slug,
        request_body=body,
        prompt=title or tool.title(body, names),
        # A chained job is unique: its input is made for it.
        fingerprint="" if after else fingerprint(tool, body),
        created_by_id=actor_id,
        idempotency_key=key,
        batch=batch,
        after=after,
        after_field=after_field,
        next_attempt_at=not_before or timezone.now(),
        leased_until=timezone.now() + leases.LEASE if leased else None,
    )
    try:
        with transaction.atomic():
            status_machine.start_all(
                [execution], actor_id=actor_id, details={execution.pk: _rerun_detail(rerun_of)}
            )
            Input.objects.bulk_create(
                Input(execution=execution, file=file, field=field, position=position)
                for field, position, file in input_files
            )
        if execution.leased_until is not None:
            leases.remember([execution.pk], execution.leased_until)
        return execution, True
    except IntegrityError:
        if key is None:
            raise
        return Execution.objects.get(created_by_id=actor_id, idempotency_key=key), False


def rerun(execution: Execution, *, actor: Actor, key: str) -> tuple[Execution, bool]:
    """Create a job with the same request as `execution`: one for each `key`, as in `start`. Raises NotAllowed."""
    return start(
        tool=find(execution.tool),
        body=already_validated(execution.request_body),
        actor=actor,
        title=execution.prompt,
        key=f"again.{execution.pk}.{key}",
        rerun_of=execution,
    )


def require_validated(body: Any) -> None:
    """Raise TypeError for a body that was not validated (executions/tools/validation.py), which is a programming error."""
    if not isinstance(body, ValidatedBody):
        raise TypeError("A job is created from a validated body: see executions.tools.validate.")


def _require_permission(actor: Actor, rerun_of: Execution | None) -> int | None:
    """Return the id of the job's owner. Raises NotAllowed."""
    if rerun_of is None:
        return policy.require(actor, Action.JOB_START)
    is_unconfirmed = rerun_of.status == UNCONFIRMED
    return policy.require(
        actor, Action.JOB_RESTART_UNCONFIRMED if is_unconfirmed else Action.JOB_RESTART, rerun_of
    )


def inputs(tool: Tool, body: dict[str, Any]) -> list[tuple[str, int, File]]:
    """The files that the body refers to, as (field, position, file). Files unknown to Rushes are left out."""
    named = tool.inputs(body)
    known = File.objects.by_remote_id([remote_id for _, remote_id in named])
    found, positions = [], Counter[str]()
    for field, remote_id in named:
        if remote_id in known:
            found.append((field, positions[field], known[remote_id]))
        positions[field] += 1
    return found


def fingerprint(tool: Tool, body: dict[str, Any]) -> str:
    """A hash of the tool and the request: equal for identical requests."""
    return hashlib.sha256(json.dumps([tool.slug, body], sort_keys=True).encode()).hexdigest()


def find_earlier_success(tool: Tool, body: dict[str, Any]) -> Execution | None:
    """The latest successful job with an identical request, so that a person can avoid paying twice."""
    same = Execution.objects.filter(fingerprint=fingerprint(tool, body), status=SUCCEEDED)
    return same.for_cards().newest_first().first()


def _rerun_detail(job: Execution | None) -> dict[str, Any]:
    if job is None:
        return {}
    # A person who re-runs an unconfirmed job has confirmed that it may run, and be billed, twice.
    return {"again": str(job.pk), "knowingly": job.status == UNCONFIRMED}
