"""Jobs of people in every state, and forms that start them, for tests of the pages."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.utils import timezone

from executions import policy, tools
from executions.lifecycle import create
from executions.lifecycle import machine as lifecycle
from executions.lifecycle import observations as seen
from executions.models import Execution, File
from executions.tools import accepted_before
from executions.videogen import ToolResult

IMAGE_FORM = {"prompt": "a lighthouse", "numResults": "1", "aspectRatio": "16:9", "watermarkMode": "AUTO"}


def form(**changes: Any) -> dict[str, Any]:
    """The image form as a browser sends it, with a key of its own."""
    return {**IMAGE_FORM, "key": uuid.uuid4().hex, **changes}


def job(
    owner: Any = None,
    status: str = "queued",
    prompt: str = "a lighthouse",
    tool: str = "generate-image",
    results: int = 1,
    error: dict[str, Any] | None = None,
) -> Execution:
    """A job of `owner` that came to `status` in the ordinary way."""
    entry = tools.find(tool)
    body = {entry.subject or "prompt": prompt, "numResults": 1}
    user_id = owner.pk if owner else None
    execution, _ = create.start(tool=entry, body=accepted_before(body), actor=owner or policy.SYSTEM)
    if status == "cancelled before":
        lifecycle.apply(execution.pk, seen.CancelWished(actor_id=user_id))
    elif status != "queued":
        lifecycle.apply(execution.pk, seen.Sending())
        if status == "unconfirmed":
            lifecycle.apply(execution.pk, seen.AnswerLost(reason="the connection was cut"))
        elif status == "refused":
            refused = error or {"message": "The prompt is refused.", "code": "invalid_parameters"}
            lifecycle.apply(execution.pk, seen.Refused(error=refused))
        else:
            remote_id = f"vg_exec_{execution.pk.hex}"
            accepted = {"toolExecutionId": remote_id, "status": "pending"}
            lifecycle.apply(execution.pk, seen.Accepted(remote_id=remote_id, answer=accepted))
            if status != "pending":
                report(execution, status, results=results, error=error)
    return Execution.objects.get(pk=execution.pk)


def report(execution: Execution, status: str, results: int = 1, error: dict[str, Any] | None = None) -> bool:
    """Let VideoGen tell a status of an accepted job."""
    media = tools.find(execution.tool).media
    made = tuple(
        ToolResult(file_id=f"vg_file_{execution.pk.hex}_{number}", type=media) for number in range(results)
    )
    return lifecycle.apply(
        execution.pk,
        seen.Reported(
            source=seen.Source.POLL,
            status=status,
            progress=40.0 if status == "running" else None,
            attempt=0,
            results=made if status == "succeeded" else (),
            error=error or ({"message": "It went wrong."} if status == "failed" else None),
            answer={"status": status, "told": "by VideoGen"},
        ),
    )


def file(remote_id: str = "", **columns: Any) -> File:
    """A file of an hour ago: of one that is new a 404 is not believed."""
    known_since = {"created_at": timezone.now() - timedelta(hours=1)}
    remote_id = remote_id or f"vg_file_{uuid.uuid4().hex}"
    return File.objects.create(remote_id=remote_id, **{**known_since, **columns})
