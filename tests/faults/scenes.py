"""Steps that fault tests are made of: start a job, look after it, wait for what must become true."""

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

# The events of a job that was started, sent and taken.
STARTED = (Kind.STARTED, "", "queued", Source.PERSON)
SENT = (Kind.SENT, "queued", "queued", Source.SYSTEM)
POSTPONED = (Kind.POSTPONED, "queued", "queued", Source.RESPONSE)
ACCEPTED = (Kind.STATUS, "queued", "pending", Source.RESPONSE)
UNCONFIRMED = (Kind.STATUS, "queued", "unconfirmed", Source.RESPONSE)


def words() -> str:
    """A prompt that no other job has."""
    return f"a lighthouse {uuid.uuid4().hex}"


async def in_thread[T](work: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Run sync code beside the loop; its thread keeps no connection to the database."""

    def run() -> T:
        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()

    return await asyncio.to_thread(run)


# --- jobs ---------------------------------------------------------------------------------------------------


async def queued(prompt: str, **options: Any) -> Execution:
    """A job as the studio writes it, not sent yet."""
    return await runtime.in_db(jobs.queued, prompt, **options)


async def started(prompt: str, **options: Any) -> Execution:
    """A job that was sent; what became of that is in the row."""
    job = await queued(prompt, **options)
    await submit.send(job.pk)
    return await row(job)


async def row(job: Execution) -> Execution:
    return await runtime.in_db(jobs.fresh, job)


async def story(job: Execution) -> list[jobs.Step]:
    """The job's events, after a check that they lead to the status that the row has."""
    assert await runtime.in_db(jobs.replayed, job) == (await row(job)).status
    return await runtime.in_db(jobs.story, job)


async def ended(job: Execution) -> Execution:
    """The job once it is final; fails when its end was told more than once."""

    async def look() -> bool:
        return (await row(job)).is_terminal

    await until(look)
    final = await row(job)
    assert await runtime.in_db(jobs.endings, job) == [final.status]
    return final


async def make_due(job: Execution, **columns: Any) -> None:
    """Let the time until the job's next look pass at once."""
    columns = {"next_attempt_at": timezone.now(), "leased_until": None, **columns}
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, **columns)


async def look_after(job: Execution, reconciler: Reconciler | None = None) -> Execution:
    """What the reconciler does for the job when its time has come."""
    await make_due(job)
    await (reconciler or Reconciler()).process_now(job.pk)
    return await row(job)


def wait_of(job: Execution) -> float:
    """Seconds until the job's next look."""
    assert job.next_attempt_at is not None
    return (job.next_attempt_at - timezone.now()).total_seconds()


def backs_off(waits: list[float]) -> bool:
    """Whether the waits double from 2 s to 5 minutes, a fifth more or less; a slow machine has used up a little."""
    steps = [min(300.0, 2.0 * 2**tried) for tried in range(len(waits))]
    return all(0.8 * step - 2 < wait <= 1.2 * step for wait, step in zip(waits, steps, strict=True))


# --- the sandbox --------------------------------------------------------------------------------------------


# One client for all control calls: each new one reads the certificates of the whole world, for 90 ms.
_plain = httpx.Client(timeout=10, trust_env=False, verify=False)
atexit.register(_plain.close)


async def control(sandbox: SandboxProcess, method: str, path: str, json: Any = None) -> Any:
    """Talk to the sandbox's control interface."""
    answer = await asyncio.to_thread(_plain.request, method, f"{sandbox.url}/sandbox/{path}", json=json)
    answer.raise_for_status()
    return answer.json()


async def order(sandbox: SandboxProcess, *faults: dict[str, Any], **rest: Any) -> None:
    """Add faults (and limits) to those in force."""
    await control(sandbox, "POST", "faults", {"faults": list(faults), **rest})


async def well_again(sandbox: SandboxProcess) -> None:
    await control(sandbox, "DELETE", "faults")


async def struck(sandbox: SandboxProcess, kind: str) -> int:
    """How often the faults of this kind that are still in force have struck."""
    orders = (await control(sandbox, "GET", "faults"))["faults"]
    return sum(order["struck"] for order in orders if order["kind"] == kind)


async def truth(sandbox: SandboxProcess, prompt: str) -> list[dict[str, Any]]:
    """The starts with this prompt that the sandbox accepted, and what became of them."""
    found = (await control(sandbox, "GET", "truth"))["executions"]
    return [each for each in found if each["request"].get("prompt") == prompt]


async def true_end(sandbox: SandboxProcess, prompt: str) -> dict[str, Any]:
    """The one execution with this prompt, once it has ended there."""

    async def look() -> dict[str, Any] | None:
        (only,) = await truth(sandbox, prompt)
        return only if only["endedAt"] else None

    found = await until(look)
    assert found is not None
    return found


def stop_all(sandbox: SandboxProcess) -> None:
    """No faults, nothing that runs or waits, and the hour's starts and cancels as if unused."""
    faults = f"{sandbox.url}/sandbox/faults"
    unlimited = {"POST /v1/tools/executions/{id}/cancel": 10_000, "POST /v1/tools/*": 10_000}
    _plain.put(faults, json={"limits": unlimited}).raise_for_status()
    key = {"Authorization": f"Bearer {sandbox.api_key}"}
    for each in _plain.get(f"{sandbox.url}/sandbox/truth").json()["executions"]:
        if each["endedAt"] is None:
            path = f"/v1/tools/executions/{each['toolExecutionId']}/cancel"
            _plain.post(f"{sandbox.url}{path}", headers=key).raise_for_status()
    _plain.delete(faults).raise_for_status()


# --- the studio ---------------------------------------------------------------------------------------------


def form(prompt: str, page: str = "") -> dict[str, str]:
    """The studio's form as a browser sends it; `page` is where it was read, with its key."""
    filled = {"prompt": prompt, "numResults": "1", "aspectRatio": "1:1", "watermarkMode": "AUTO"}
    return {**filled, "key": value(page, "key")} if page else filled


async def page_of(browser: Browser, job: Execution) -> str:
    """The job's page, as this person sees it."""
    answer = await browser.aget(f"/executions/{job.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()
