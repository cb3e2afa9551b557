"""Jobs in every status, and the content of their rows and events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from executions import policy, tools
from executions.lifecycle import create, observations, status_machine
from executions.models import Event, Execution
from executions.models.event import Kind, Source
from executions.tools import already_validated
from executions.videogen import ToolResult

Step = tuple[str, str, str, str]


def queued(prompt: str = "a lighthouse", **options: Any) -> Execution:
    """A job as the studio creates it, not sent yet."""
    body = {"prompt": prompt, "numResults": 1}
    execution, _ = create.start(
        tool=tools.find("generate-image"), body=already_validated(body), actor=policy.SYSTEM, **options
    )
    return execution


def sending() -> Execution:
    """A job whose request has been sent, and not been answered."""
    execution = queued()
    status_machine.apply(execution.pk, observations.SubmissionStarted())
    return reload(execution)


def accept(job: Execution, remote_id: str = "", **accepted: Any) -> Execution:
    """Let VideoGen accept the job."""
    status_machine.apply(job.pk, observations.SubmissionStarted())
    status_machine.apply(
        job.pk, observations.Accepted(remote_id=remote_id or f"vg_exec_{job.pk}", **accepted)
    )
    return reload(job)


def accepted(remote_id: str = "vg_exec_1", age: timedelta = timedelta(0)) -> Execution:
    """A job that VideoGen accepted `age` ago."""
    return accept(queued(), remote_id, at=timezone.now() - age)


def running(remote_id: str = "vg_exec_1") -> Execution:
    execution = accepted(remote_id)
    report(execution, "running", attempt=0, progress=10.0)
    return reload(execution)


def report(execution: Execution, status: str, source: Source = Source.POLL, **fields: Any) -> bool:
    """Apply a status report of VideoGen. Returns whether it changed the job."""
    return status_machine.apply(
        execution.pk, observations.StatusReported(source=source, status=status, **fields)
    )


def job(
    owner: Any = None,
    status: str = "queued",
    prompt: str = "a lighthouse",
    tool: str = "generate-image",
    results: int = 1,
    error: dict[str, Any] | None = None,
) -> Execution:
    """A job of `owner` that reached `status` through the lifecycle."""
    entry = tools.find(tool)
    body = {entry.subject or "prompt": prompt, "numResults": 1}
    user_id = owner.pk if owner else None
    execution, _ = create.start(tool=entry, body=already_validated(body), actor=owner or policy.SYSTEM)
    if status == "cancelled before":
        status_machine.apply(execution.pk, observations.CancelRequested(actor_id=user_id))
    elif status != "queued":
        status_machine.apply(execution.pk, observations.SubmissionStarted())
        if status == "unconfirmed":
            status_machine.apply(
                execution.pk, observations.SubmissionUnconfirmed(reason="the connection was cut")
            )
        elif status == "refused":
            refusal = error or {"message": "The prompt is refused.", "code": "invalid_parameters"}
            status_machine.apply(execution.pk, observations.SubmissionRejected(error=refusal))
        else:
            remote_id = f"vg_exec_{execution.pk.hex}"
            answer = {"toolExecutionId": remote_id, "status": "pending"}
            status_machine.apply(execution.pk, observations.Accepted(remote_id=remote_id, answer=answer))
            if status != "pending":
                advance(execution, status, results=results, error=error)
    return Execution.objects.get(pk=execution.pk)


def advance(execution: Execution, status: str, results: int = 1, error: dict[str, Any] | None = None) -> bool:
    """Apply a report of this status to an accepted job, with the results or the error that belong to it."""
    media = tools.find(execution.tool).media
    tool_results = tuple(
        ToolResult(file_id=f"vg_file_{execution.pk.hex}_{number}", type=media) for number in range(results)
    )
    return status_machine.apply(
        execution.pk,
        observations.StatusReported(
            source=observations.Source.POLL,
            status=status,
            progress=40.0 if status == "running" else None,
            attempt=0,
            results=tool_results if status == "succeeded" else (),
            error=error or ({"message": "It went wrong."} if status == "failed" else None),
            answer={"status": status, "reported": "by VideoGen"},
        ),
    )


def results(*file_ids: str) -> tuple[ToolResult, ...]:
    return tuple(ToolResult(file_id=file_id, type="IMAGE") for file_id in file_ids)


def reload(execution: Execution) -> Execution:
    return Execution.objects.get(pk=execution.pk)


def events_of(execution: Execution) -> list[Step]:
    """The job's events as (kind, from, to, source)."""
    events = Event.objects.filter(execution=execution)
    return [(event.kind, event.from_status, event.to_status, event.source) for event in events]


def final_statuses(execution: Execution) -> list[str]:
    """The final statuses in the job's events. There must be at most one."""
    events = Event.objects.filter(execution=execution, to_status__in=["succeeded", "failed", "cancelled"])
    return [event.to_status for event in events if event.from_status != event.to_status]


def replay_status(execution: Execution) -> str:
    """The status that results from the events alone. Fails if an event does not continue from the previous one."""
    status = ""
    for event in Event.objects.filter(execution=execution):
        assert event.from_status == status, f"{event} does not follow {status!r}"
        assert (event.kind == Kind.STATUS) == (event.from_status != event.to_status and status != "")
        status = event.to_status
    return status
