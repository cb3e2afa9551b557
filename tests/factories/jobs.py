"""Jobs in every state, and what their rows and events say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from executions import policy, tools
from executions.lifecycle import create, observations
from executions.lifecycle import machine as lifecycle
from executions.models import Event, Execution
from executions.models.event import Kind, Source
from executions.tools import already_validated
from executions.videogen import ToolResult

Step = tuple[str, str, str, str]


def queued(prompt: str = "a lighthouse", **options: Any) -> Execution:
    """A job as the studio writes it, not sent yet."""
    body = {"prompt": prompt, "numResults": 1}
    execution, _ = create.start(
        tool=tools.find("generate-image"), body=already_validated(body), actor=policy.SYSTEM, **options
    )
    return execution


def sending() -> Execution:
    """A job whose request is under way."""
    execution = queued()
    lifecycle.apply(execution.pk, observations.SubmissionStarted())
    return fresh(execution)


def take(job: Execution, remote_id: str = "", **accepted: Any) -> Execution:
    """VideoGen has taken the job."""
    lifecycle.apply(job.pk, observations.SubmissionStarted())
    lifecycle.apply(job.pk, observations.Accepted(remote_id=remote_id or f"vg_exec_{job.pk}", **accepted))
    return fresh(job)


def accepted(remote_id: str = "vg_exec_1", age: timedelta = timedelta(0)) -> Execution:
    """A job that VideoGen took, so long ago."""
    return take(queued(), remote_id, at=timezone.now() - age)


def running(remote_id: str = "vg_exec_1") -> Execution:
    execution = accepted(remote_id)
    report(execution, "running", attempt=0, progress=10.0)
    return fresh(execution)


def report(execution: Execution, status: str, source: Source = Source.POLL, **told: Any) -> bool:
    """Let the job know what VideoGen told; whether that changed it."""
    return lifecycle.apply(execution.pk, observations.StatusReported(source=source, status=status, **told))


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
    execution, _ = create.start(tool=entry, body=already_validated(body), actor=owner or policy.SYSTEM)
    if status == "cancelled before":
        lifecycle.apply(execution.pk, observations.CancelRequested(actor_id=user_id))
    elif status != "queued":
        lifecycle.apply(execution.pk, observations.SubmissionStarted())
        if status == "unconfirmed":
            lifecycle.apply(execution.pk, observations.ResponseLost(reason="the connection was cut"))
        elif status == "refused":
            refused = error or {"message": "The prompt is refused.", "code": "invalid_parameters"}
            lifecycle.apply(execution.pk, observations.Rejected(error=refused))
        else:
            remote_id = f"vg_exec_{execution.pk.hex}"
            answer = {"toolExecutionId": remote_id, "status": "pending"}
            lifecycle.apply(execution.pk, observations.Accepted(remote_id=remote_id, answer=answer))
            if status != "pending":
                advance(execution, status, results=results, error=error)
    return Execution.objects.get(pk=execution.pk)


def advance(execution: Execution, status: str, results: int = 1, error: dict[str, Any] | None = None) -> bool:
    """Let VideoGen report a status of an accepted job, with the results or the error that go with it."""
    media = tools.find(execution.tool).media
    made = tuple(
        ToolResult(file_id=f"vg_file_{execution.pk.hex}_{number}", type=media) for number in range(results)
    )
    return lifecycle.apply(
        execution.pk,
        observations.StatusReported(
            source=observations.Source.POLL,
            status=status,
            progress=40.0 if status == "running" else None,
            attempt=0,
            results=made if status == "succeeded" else (),
            error=error or ({"message": "It went wrong."} if status == "failed" else None),
            answer={"status": status, "told": "by VideoGen"},
        ),
    )


def results(*file_ids: str) -> tuple[ToolResult, ...]:
    return tuple(ToolResult(file_id=file_id, type="IMAGE") for file_id in file_ids)


def fresh(execution: Execution) -> Execution:
    return Execution.objects.get(pk=execution.pk)


def story(execution: Execution) -> list[Step]:
    """The job's events: what changed, from, to, and who brought the news."""
    events = Event.objects.filter(execution=execution)
    return [(event.kind, event.from_status, event.to_status, event.source) for event in events]


def endings(execution: Execution) -> list[str]:
    """The terminal statuses that the events tell of. One at most, whatever happens."""
    events = Event.objects.filter(execution=execution, to_status__in=["succeeded", "failed", "cancelled"])
    return [event.to_status for event in events if event.from_status != event.to_status]


def replayed(execution: Execution) -> str:
    """The status that the events alone lead to; fails where one does not begin where the last one ended."""
    status = ""
    for event in Event.objects.filter(execution=execution):
        assert event.from_status == status, f"{event} does not follow {status!r}"
        assert (event.kind == Kind.STATUS) == (event.from_status != event.to_status and status != "")
        status = event.to_status
    return status
