"""Steps of tests with the domain and the sandbox: jobs sent over HTTP, and their state at the sandbox."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

from django.utils import timezone

from executions.core import runtime
from executions.limits import rate_limits
from executions.models import Execution, RateWindow
from executions.sync import submit
from tests.conftest import SandboxProcess
from tests.factories import jobs
from tests.waiting import eventually

START = "POST /v1/tools/*"


def unique_prompt() -> str:
    """A prompt that no other test has, by which a job is found at the sandbox."""
    return f"a lighthouse {uuid.uuid4().hex}"


def add_fault(sandbox: SandboxProcess, kind: str, match: str = START, **options: Any) -> None:
    """Add a fault to the sandbox, for one call or for `count` calls (None: always)."""
    count = options.pop("count", 1)
    fault = {"kind": kind, "match": match, **options} | ({} if count is None else {"count": count})
    sandbox.control("POST", "faults", {"faults": [fault]})


def sandbox_jobs(sandbox: SandboxProcess, prompt: str) -> list[dict[str, Any]]:
    """The executions of the sandbox with this prompt."""
    everything = sandbox.control("GET", "truth")["executions"]
    return [each for each in everything if each["request"].get("prompt") == prompt]


def sandbox_outcome(sandbox: SandboxProcess, remote_id: str) -> dict[str, Any]:
    """The execution, once it is final at the sandbox."""

    def read_final() -> dict[str, Any] | None:
        answer: dict[str, Any] = sandbox.call("GET", f"/v1/tools/executions/{remote_id}").json()
        return answer if answer["status"] in ("succeeded", "failed", "cancelled") else None

    return eventually(read_final)


def sandbox_status(sandbox: SandboxProcess, job: Execution) -> str:
    answer: dict[str, Any] = sandbox.call("GET", f"/v1/tools/executions/{job.remote_id}").json()
    return str(answer["status"])


def cancel_all(sandbox: SandboxProcess) -> None:
    """Cancel all unfinished executions of the sandbox."""
    for each in sandbox.control("GET", "truth")["executions"]:
        if each["endedAt"] is None:
            sandbox.call("POST", f"/v1/tools/executions/{each['toolExecutionId']}/cancel")


async def in_thread[T](work: Callable[..., T], *args: Any) -> T:
    """Run work in a thread that waits for the sandbox and does not use the database."""
    return await asyncio.to_thread(work, *args)


async def queued(prompt: str, **options: Any) -> Execution:
    return await runtime.in_db(jobs.queued, prompt, **options)


async def reload(job: Execution) -> Execution:
    return await runtime.in_db(jobs.reload, job)


async def kinds(job: Execution) -> list[str]:
    """The kinds of the job's events."""
    return [step[0] for step in await runtime.in_db(jobs.events_of, job)]


async def make_due(job: Execution) -> None:
    """Make the job due now."""
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, next_attempt_at=timezone.now())


async def started(prompt: str = "", **options: Any) -> Execution:
    """A job that the sandbox has accepted."""
    job = await queued(prompt or unique_prompt(), **options)
    await submit.send(job.pk)
    now = await reload(job)
    assert now.status == "pending", now.note
    return now


async def unlimited() -> bool:
    """A polling budget without a limit."""
    return True


async def reset_limits() -> None:
    """Forget the rate limits that VideoGen reported."""
    await runtime.in_db(RateWindow.objects.all().delete)
    rate_limits.forget()
