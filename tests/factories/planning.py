"""Batches in every state."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from executions import tools
from executions.batches import service as batches
from executions.batches.rows import Row
from executions.lifecycle import create, observations, status_machine
from executions.models import Batch, BatchCancel, BatchPlan, Execution
from executions.tools import already_validated
from tests.factories.jobs import accept, reload, report

NEW = "/batches/new/"


def rows(count: int, *, prompt: str = "a lighthouse") -> list[Row]:
    return [
        Row(n, already_validated({"prompt": f"{prompt} {n}", "numResults": 1})) for n in range(1, count + 1)
    ]


def plan(user: Any, count: int = 3, **options: Any) -> BatchPlan:
    return batches.plan(tools.find("generate-image"), rows(count, **options), name="Lighthouses", actor=user)


def batch(user: Any, count: int = 3, *, held: bool = False) -> Batch:
    """A confirmed batch. Unless `held`, its undo window is over."""
    started, _ = batches.confirm(plan(user, count).pk, actor=user)
    if not held:
        past = timezone.now() - timedelta(seconds=1)
        Batch.objects.filter(pk=started.pk).update(sends_at=past)
        started.executions.update(next_attempt_at=past)
        started.refresh_from_db()
    return started


def jobs(started: Batch) -> list[Execution]:
    return list(started.executions.order_by("id"))


def finish(job: Execution, status: str = "failed", **fields: Any) -> Execution:
    """Let VideoGen accept the job and report its final status."""
    accept(job)
    report(job, status, **fields)
    return reload(job)


def bring_to(job: Execution, status: str) -> None:
    """Bring a queued job to this status, through the lifecycle."""
    if status == "pending":
        accept(job)
    elif status == "unconfirmed":
        status_machine.apply(job.pk, observations.SubmissionStarted())
        status_machine.apply(job.pk, observations.SubmissionUnconfirmed(reason="cut"))
    elif status != "queued":
        finish(job, status)


def cancel_request(started: Batch, *, actor: Any) -> BatchCancel:
    """A request to cancel the unfinished jobs."""
    found = batches.plan_cancel(started, actor=actor)
    assert found is not None
    return found


def finished_job(user: Any, row: Row) -> Execution:
    job, _ = create.start(tool=tools.find("generate-image"), body=row.body, actor=user)
    return finish(job, "succeeded")
