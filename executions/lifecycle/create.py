"""Creates a job: the row, the files that it works from, and the first event. executions/sync/submit.py sends it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from executions import policy
from executions.lifecycle import leases
from executions.lifecycle import machine as lifecycle
from executions.models import Batch, Execution, File, Input
from executions.policy import Action, Actor
from executions.statuses import SUCCEEDED, UNCONFIRMED
from executions.tools import Tool, ValidatedBody


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
    held: bool = False,
    again: Execution | None = None,
) -> tuple[Execution, bool]:
    """Write a new job, to be sent at once. The second value is False when `key` has started one before.

    `body` is in our names (executions/tools/api_versions.py). `key` is the form's idempotency key: a double click, a resent form or
    the back button start one job. `after` is a job whose first result fills `after_field` of the body (chain.py).
    `again` is the job that is repeated, for the record. `held` leases the job to the caller, who sends it by `send_claimed` and hears how that went.
    """
    require_validated(body)
    actor_id = _require(actor, again)
    works_from = inputs(tool, body)
    names = {file.remote_id: file.display_name for _, _, file in works_from}
    execution = Execution(
        tool=tool.slug,
        request_body=body,
        prompt=title or tool.title(body, names),
        # A chained job is like no other: what it works from is made for it.
        fingerprint="" if after else fingerprint(tool, body),
        created_by_id=actor_id,
        idempotency_key=key,
        batch=batch,
        after=after,
        after_field=after_field,
        next_attempt_at=not_before or timezone.now(),
        leased_until=timezone.now() + leases.LEASE if held else None,
    )
    try:
        with transaction.atomic():
            lifecycle.start(execution, actor_id=actor_id, **_repeats(again))
            Input.objects.bulk_create(
                Input(execution=execution, file=file, field=field, position=position)
                for field, position, file in works_from
            )
        if execution.leased_until is not None:
            leases.hold([execution.pk], execution.leased_until)
        return execution, True
    except IntegrityError:
        if key is None:
            raise
        return Execution.objects.get(created_by_id=actor_id, idempotency_key=key), False


def require_validated(body: Any) -> None:
    """Raises TypeError for a body that nobody has validated (executions/tools/validation.py): a mistake in the code."""
    if not isinstance(body, ValidatedBody):
        raise TypeError("A job is created from a validated body: see executions.tools.validate.")


def _require(actor: Actor, again: Execution | None) -> int | None:
    """Whose job it becomes. Raises NotAllowed."""
    if again is None:
        return policy.require(actor, Action.JOB_START)
    is_unconfirmed = again.status == UNCONFIRMED
    return policy.require(
        actor, Action.JOB_RESTART_UNCONFIRMED if is_unconfirmed else Action.JOB_RESTART, again
    )


def inputs(tool: Tool, body: dict[str, Any]) -> list[tuple[str, int, File]]:
    """The files that the body names, as far as we know them: (field, position, file)."""
    named = tool.inputs(body)
    known = (
        File.objects.in_bulk([remote_id for _, remote_id in named], field_name="remote_id") if named else {}
    )
    found, positions = [], Counter[str]()
    for field, remote_id in named:
        if remote_id in known:
            found.append((field, positions[field], known[remote_id]))
        positions[field] += 1
    return found


def fingerprint(tool: Tool, body: dict[str, Any]) -> str:
    """The same for jobs that ask the same of the same tool."""
    return hashlib.sha256(json.dumps([tool.slug, body], sort_keys=True).encode()).hexdigest()


def made_before(tool: Tool, body: dict[str, Any]) -> Execution | None:
    """The latest job that asked the same and succeeded, so that money is not spent twice unawares."""
    same = Execution.objects.filter(fingerprint=fingerprint(tool, body), status=SUCCEEDED)
    return same.for_cards().newest_first().first()


def _repeats(job: Execution | None) -> dict[str, Any]:
    if job is None:
        return {}
    # Whoever repeats an unconfirmed job knows that it may run, and be billed, twice.
    return {"again": str(job.pk), "knowingly": job.status == UNCONFIRMED}
