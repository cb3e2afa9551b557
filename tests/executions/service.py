"""The domain and the stand-in service together: jobs sent over HTTP, and what the service says of them."""

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


def words() -> str:
    """A prompt that no other test has: by it a job is found among those that the service knows."""
    return f"a lighthouse {uuid.uuid4().hex}"


def order(sandbox: SandboxProcess, kind: str, match: str = START, **options: Any) -> None:
    """Let the service misbehave once, or as often as `count` says (None: always)."""
    count = options.pop("count", 1)
    told = {"kind": kind, "match": match, **options} | ({} if count is None else {"count": count})
    sandbox.control("POST", "faults", {"faults": [told]})


def known_there(sandbox: SandboxProcess, prompt: str) -> list[dict[str, Any]]:
    """The executions that the service really has for these words."""
    everything = sandbox.control("GET", "truth")["executions"]
    return [each for each in everything if each["request"].get("prompt") == prompt]


def ended_there(sandbox: SandboxProcess, remote_id: str) -> dict[str, Any]:
    """The execution, once it has ended there."""

    def look() -> dict[str, Any] | None:
        answer: dict[str, Any] = sandbox.call("GET", f"/v1/tools/executions/{remote_id}").json()
        return answer if answer["status"] in ("succeeded", "failed", "cancelled") else None

    return eventually(look)


def status_there(sandbox: SandboxProcess, job: Execution) -> str:
    answer: dict[str, Any] = sandbox.call("GET", f"/v1/tools/executions/{job.remote_id}").json()
    return str(answer["status"])


def stop_everything(sandbox: SandboxProcess) -> None:
    """Cancel whatever still runs or waits there."""
    for each in sandbox.control("GET", "truth")["executions"]:
        if each["endedAt"] is None:
            sandbox.call("POST", f"/v1/tools/executions/{each['toolExecutionId']}/cancel")


async def in_thread[T](work: Callable[..., T], *args: Any) -> T:
    """Work that waits for the service and leaves the database alone."""
    return await asyncio.to_thread(work, *args)


async def queued(prompt: str, **options: Any) -> Execution:
    return await runtime.in_db(jobs.queued, prompt, **options)


async def fresh(job: Execution) -> Execution:
    return await runtime.in_db(jobs.fresh, job)


async def kinds(job: Execution) -> list[str]:
    """The job's events, by what changed."""
    return [step[0] for step in await runtime.in_db(jobs.story, job)]


async def due_now(job: Execution) -> None:
    """Let the time of the job's next look be here."""
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, next_attempt_at=timezone.now())


async def started(prompt: str = "", **options: Any) -> Execution:
    """A job that the service has taken."""
    job = await queued(prompt or words(), **options)
    await submit.send(job.pk)
    now = await fresh(job)
    assert now.status == "pending", now.note
    return now


async def plenty() -> bool:
    """A budget of calls without end."""
    return True


async def new_hour() -> None:
    """What VideoGen told of its limits is over."""
    await runtime.in_db(RateWindow.objects.all().delete)
    rate_limits.forget()
