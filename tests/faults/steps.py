"""Steps of fault tests: start a job, poll it, wait for a state, compare with the sandbox."""

from __future__ import annotations

import asyncio
import atexit
import uuid
from collections.abc import Callable
from typing import Any

import httpx
from django.db import connections
from django.utils import timezone

from executions.core import runtime
from executions.models import Execution
from executions.models.event import Kind, Source
from executions.sync import submit
from executions.sync.reconciler import Reconciler
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser
from tests.factories import jobs
from tests.markup import value
from tests.waiting import until

STARTS, READS = "POST /v1/tools/*", "GET /v1/tools/executions/*"
CANCELS = "POST /v1/tools/executions/*/cancel"

# The events of a job that was started, sent and accepted.
STARTED = (Kind.STARTED, "", "queued", Source.PERSON)
SENT = (Kind.SENT, "queued", "queued", Source.SYSTEM)
POSTPONED = (Kind.POSTPONED, "queued", "queued", Source.RESPONSE)
ACCEPTED = (Kind.STATUS, "queued", "pending", Source.RESPONSE)
UNCONFIRMED = (Kind.STATUS, "queued", "unconfirmed", Source.RESPONSE)


def unique_prompt() -> str:
    """A prompt that no other job has."""
    return f"a lighthouse {uuid.uuid4().hex}"


async def in_thread[T](work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run sync code in a thread, and close the thread's database connection afterwards."""

    def run() -> T:
        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


# --- jobs ---------------------------------------------------------------------------------------------------


async def queued(prompt: str, **options: Any) -> Execution:
    """A job as the studio creates it, not sent yet."""
    return await runtime.in_db(jobs.queued, prompt, **options)


async def started(prompt: str, **options: Any) -> Execution:
    """A job that was sent; its row has the outcome of that."""
    job = await queued(prompt, **options)
    await submit.send(job.pk)
    return await reload(job)


async def reload(job: Execution) -> Execution:
    return await runtime.in_db(jobs.reload, job)


async def events_of(job: Execution) -> list[jobs.Step]:
    """The job's events, after a check that they lead to the status of the row."""
    assert await runtime.in_db(jobs.replay_status, job) == (await reload(job)).status
    return await runtime.in_db(jobs.events_of, job)


async def wait_until_final(job: Execution) -> Execution:
    """The job once it is final. Fails if its events contain more than one final status."""

    async def is_final() -> bool:
        return (await reload(job)).is_terminal

    await until(is_final)
    final = await reload(job)
    assert await runtime.in_db(jobs.final_statuses, job) == [final.status]
    return final


async def make_due(job: Execution, **columns: Any) -> None:
    """Make the job due now."""
    columns = {"next_attempt_at": timezone.now(), "leased_until": None, **columns}
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, **columns)


async def poll(job: Execution, reconciler: Reconciler | None = None) -> Execution:
    """Make the job due and let the reconciler do what is due; the job afterwards."""
    await make_due(job)
    await (reconciler or Reconciler()).process_now(job.pk)
    return await reload(job)


def seconds_until_due(job: Execution) -> float:
    """Seconds until the job's next attempt or poll."""
    assert job.next_attempt_at is not None
    return (job.next_attempt_at - timezone.now()).total_seconds()


def backs_off(waits: list[float]) -> bool:
    """Whether the waits double from 2 s to 5 minutes, plus or minus 20 %, and less what a slow machine has used up."""
    steps = [min(300.0, 2.0 * 2**attempt) for attempt in range(len(waits))]
    return all(0.8 * step - 2 < wait <= 1.2 * step for wait, step in zip(waits, steps, strict=True))


# --- the sandbox --------------------------------------------------------------------------------------------


# One client for all control calls: a new one reads all certificates, which takes 90 ms.
_http = httpx.Client(timeout=10, trust_env=False, verify=False)
atexit.register(_http.close)


async def control(sandbox: SandboxProcess, method: str, path: str, json: Any = None) -> Any:
    """Call the sandbox's control interface."""
    answer = await asyncio.to_thread(_http.request, method, f"{sandbox.url}/sandbox/{path}", json=json)
    answer.raise_for_status()
    return answer.json()


async def add_faults(sandbox: SandboxProcess, *faults: dict[str, Any], **rest: Any) -> None:
    """Add faults, and limits, to those that are active."""
    await control(sandbox, "POST", "faults", {"faults": list(faults), **rest})


async def clear_faults(sandbox: SandboxProcess) -> None:
    await control(sandbox, "DELETE", "faults")


async def times_struck(sandbox: SandboxProcess, kind: str) -> int:
    """How often the active faults of this kind have struck."""
    orders = (await control(sandbox, "GET", "faults"))["faults"]
    return sum(order["struck"] for order in orders if order["kind"] == kind)


async def sandbox_jobs(sandbox: SandboxProcess, prompt: str) -> list[dict[str, Any]]:
    """The starts with this prompt that the sandbox accepted, and their state."""
    found = (await control(sandbox, "GET", "truth"))["executions"]
    return [each for each in found if each["request"].get("prompt") == prompt]


async def sandbox_outcome(sandbox: SandboxProcess, prompt: str) -> dict[str, Any]:
    """The only execution with this prompt, once it has finished at the sandbox."""

    async def finished() -> dict[str, Any] | None:
        (only,) = await sandbox_jobs(sandbox, prompt)
        return only if only["endedAt"] else None

    found = await until(finished)
    assert found is not None
    return found


def reset_sandbox(sandbox: SandboxProcess) -> None:
    """Remove all faults, cancel all unfinished jobs, and reset the limits of starts and cancels."""
    faults = f"{sandbox.url}/sandbox/faults"
    unlimited = {"POST /v1/tools/executions/{id}/cancel": 10_000, "POST /v1/tools/*": 10_000}
    _http.put(faults, json={"limits": unlimited}).raise_for_status()
    key = {"Authorization": f"Bearer {sandbox.api_key}"}
    for each in _http.get(f"{sandbox.url}/sandbox/truth").json()["executions"]:
        if each["endedAt"] is None:
            path = f"/v1/tools/executions/{each['toolExecutionId']}/cancel"
            _http.post(f"{sandbox.url}{path}", headers=key).raise_for_status()
    _http.delete(faults).raise_for_status()


# --- the studio ---------------------------------------------------------------------------------------------


def form(prompt: str, page: str = "") -> dict[str, str]:
    """The studio's form as a browser sends it; its key is taken from `page`, if given."""
    filled = {"prompt": prompt, "numResults": "1", "aspectRatio": "1:1", "watermarkMode": "AUTO"}
    return {**filled, "key": value(page, "key")} if page else filled


async def page_of(browser: Browser, job: Execution) -> str:
    """The HTML of the job's page, as this person sees it."""
    answer = await browser.aget(f"/executions/{job.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()
