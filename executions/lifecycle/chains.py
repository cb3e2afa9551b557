"""Chains: a job that uses the result of another one, such as an avatar that speaks a generated speech.

Both jobs are created at once. The second stays queued until the first has finished. Then its request is completed with
the result and sent, or the job fails with a message. It checks the first job itself, so a crash loses nothing.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from executions import tools
from executions.lifecycle import create, leases, observations, status_machine
from executions.models import Execution, Input
from executions.models.event import Source
from executions.policy import Actor
from executions.statuses import FAILED, SUCCEEDED
from executions.tools import Speech, ValidatedBody

# Time between two checks of the first job. Its end also wakes the second one (`wake_dependents`).
RECHECK_INTERVAL = timedelta(seconds=3)


def start_with_speech(
    *, tool: tools.Tool, body: ValidatedBody, speech: Speech, actor: Actor, key: str | None
) -> tuple[Execution, Execution, bool]:
    """Create both jobs of a chain: (the speech, the job that uses it, False when `key` has created them before)."""
    with transaction.atomic():
        first, is_new = create.start(
            tool=tools.TOOLS["text-to-speech"],
            body=speech.body,
            actor=actor,
            key=key and f"{key}.1",
            leased=True,
        )
        second, _ = create.start(
            tool=tool,
            body=body,
            actor=actor,
            key=key and f"{key}.2",
            title=speech_title(tool, speech),
            after=first,
            after_field=tool.recording_field,
        )
    return first, second, is_new


def speech_title(tool: tools.Tool, speech: Speech) -> str:
    """The title of a job that uses a speech."""
    return f"{tool.label}: “{speech.script[:200]}”"


def completed_body(execution: Execution) -> dict[str, Any] | None:
    """Return the request completed with the first result of the first job.

    None while the first job is unfinished (this job is released for a later check), or if it has no result (this job
    is rejected).
    """
    before = execution.after
    if before is None or not before.is_terminal:
        leases.release(execution.pk, timezone.now() + RECHECK_INTERVAL)
        return None
    result = before.results.select_related("file").first() if before.status == SUCCEEDED else None
    if result is None:
        label = tools.find(before.tool).label.lower()
        outcome = {SUCCEEDED: "produced no result", FAILED: "failed"}.get(before.status, "was cancelled")
        message = f"The {label} it depends on {outcome}."
        status_machine.apply(
            execution.pk, observations.SubmissionRejected(source=Source.SYSTEM, error={"message": message})
        )
        return None
    Input.objects.get_or_create(
        execution=execution, field=execution.after_field, position=0, defaults={"file": result.file}
    )
    field = next(
        field for field in tools.find(execution.tool).file_fields if field.name == execution.after_field
    )
    body: dict[str, Any] = execution.request_body | field.to_body([result.file.remote_id])
    return body


def wake_dependents(*execution_ids: uuid.UUID) -> bool:
    """Make the jobs that depend on these finished ones due now. False when there are none."""
    dependents = Execution.objects.filter(after__in=execution_ids, ended_at=None)
    return bool(dependents.update(next_attempt_at=timezone.now()))
