"""Chains: a job that works from what another one makes, such as an avatar that speaks words spoken first.

Both are written at once. The later one waits, queued, until the earlier has ended; then its request is
completed with the result and sent, or it fails in words. It looks for itself, so a crash loses nothing.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from executions import tools
from executions.lifecycle import create, leases, observations
from executions.lifecycle import machine as lifecycle
from executions.models import Execution, Input
from executions.models.event import Source
from executions.policy import Actor
from executions.statuses import SUCCEEDED
from executions.tools import Speech as Speech
from executions.tools import ValidatedBody

# How often a waiting job looks whether the one before it has ended; the end itself hurries it.
LOOK = timedelta(seconds=3)


def start_spoken(
    *, tool: tools.Tool, body: ValidatedBody, speech: Speech, actor: Actor, key: str | None
) -> tuple[Execution, Execution, bool]:
    """Write both jobs of a chain at once: (the speech, the job after it, False when `key` has started them before)."""
    with transaction.atomic():
        first, is_new = create.start(
            tool=tools.TOOLS["text-to-speech"],
            body=speech.body,
            actor=actor,
            key=key and f"{key}.1",
            held=True,
        )
        second, _ = create.start(
            tool=tool,
            body=body,
            actor=actor,
            key=key and f"{key}.2",
            title=f"{tool.label}: “{speech.words[:200]}”",
            after=first,
            after_field=tool.recording_field,
        )
    return first, second, is_new


def filled_body(execution: Execution) -> dict[str, Any] | None:
    """The request, completed with the first result of the job before; None while, or because, there is none."""
    before = execution.after
    if before is None or not before.is_terminal:
        leases.release(execution.pk, timezone.now() + LOOK)
        return None
    result = before.results.select_related("file").first() if before.status == SUCCEEDED else None
    if result is None:
        words = tools.find(before.tool).label.lower()
        message = f"The {words} before it {'made nothing' if before.status == SUCCEEDED else before.status}."
        lifecycle.apply(execution.pk, observations.Rejected(source=Source.SYSTEM, error={"message": message}))
        return None
    Input.objects.get_or_create(
        execution=execution, field=execution.after_field, position=0, defaults={"file": result.file}
    )
    field = next(
        each for each in tools.find(execution.tool).file_fields if each.name == execution.after_field
    )
    body: dict[str, Any] = execution.request_body | field.to_body([result.file.remote_id])
    return body


def hasten(*execution_ids: uuid.UUID) -> bool:
    """These jobs have ended: those that wait for them are due now. False when there are none."""
    waiting = Execution.objects.filter(after__in=execution_ids, ended_at=None)
    return bool(waiting.update(next_attempt_at=timezone.now()))
