"""Steps of tests with the domain and the sandbox: start a job, poll it, wait for a state, compare both sides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.db import connections
from django.utils import timezone

from executions.core import runtime
from executions.limits import rate_limits
from executions.models import Execution, RateWindow
from executions.models.event import Kind, Source
from executions.sync import submit
from executions.sync.reconciler import Reconciler
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser
from tests.factories import forms, jobs
from tests.factories.forms import unique_prompt
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


async def started(prompt: str = "", **options: Any) -> Execution:
    """A job that was sent; its row has the outcome of that."""
    job = await queued(prompt or unique_prompt(), **options)
    await submit.send(job.pk)
    return await reload(job)


async def accepted(prompt: str = "", **options: Any) -> Execution:
    """A job that the sandbox has accepted."""
    job = await started(prompt, **options)
    assert job.status == "pending", job.note
    return job


async def reload(job: Execution) -> Execution:
    return await runtime.in_db(jobs.reload, job)


async def events_of(job: Execution) -> list[jobs.Step]:
    """The job's events, after a check that they lead to the status of the row."""
    assert await runtime.in_db(jobs.replay_status, job) == (await reload(job)).status
    return await runtime.in_db(jobs.events_of, job)


async def kinds(job: Execution) -> list[str]:
    """The kinds of the job's events."""
    return [step[0] for step in await runtime.in_db(jobs.events_of, job)]


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


def assert_due_in(job: Execution, low: float, high: float, *, since: datetime) -> None:
    """The job was rescheduled between `since` and now, by `low` to `high` seconds."""
    assert job.next_attempt_at is not None
    assert since + timedelta(seconds=low) <= job.next_attempt_at <= timezone.now() + timedelta(seconds=high)


def backs_off(waits: list[float]) -> bool:
    """Whether the waits double from 2 s to 5 minutes, plus or minus 20 %, and less what a slow machine has used up."""
    steps = [min(300.0, 2.0 * 2**attempt) for attempt in range(len(waits))]
    return all(0.8 * step - 2 < wait <= 1.2 * step for wait, step in zip(waits, steps, strict=True))


# --- the sandbox --------------------------------------------------------------------------------------------


async def control(sandbox: SandboxProcess, method: str, path: str, json: Any = None) -> Any:
    """Call the sandbox's control interface, while the event loop continues."""
    return await asyncio.to_thread(sandbox.control, method, path, json)


def add_fault(sandbox: SandboxProcess, kind: str, match: str = STARTS, **options: Any) -> None:
    """Add a fault to the sandbox, for one call or for `count` calls (None: always)."""
    count = options.pop("count", 1)
    fault = {"kind": kind, "match": match, **options} | ({} if count is None else {"count": count})
    sandbox.control("POST", "faults", {"faults": [fault]})


async def add_faults(sandbox: SandboxProcess, *faults: dict[str, Any], **rest: Any) -> None:
    """Add faults, and limits, to those that are active."""
    await control(sandbox, "POST", "faults", {"faults": list(faults), **rest})


async def clear_faults(sandbox: SandboxProcess) -> None:
    await control(sandbox, "DELETE", "faults")


async def times_triggered(sandbox: SandboxProcess, kind: str) -> int:
    """How often the active faults of this kind were triggered."""
    orders = (await control(sandbox, "GET", "faults"))["faults"]
    return sum(order["triggered"] for order in orders if order["kind"] == kind)


async def sandbox_jobs(sandbox: SandboxProcess, wanted: str) -> list[dict[str, Any]]:
    """The starts with this prompt or id that the sandbox accepted, and their state."""
    found = (await control(sandbox, "GET", "truth"))["executions"]
    return [each for each in found if wanted in (each["request"].get("prompt"), each["toolExecutionId"])]


async def sandbox_outcome(sandbox: SandboxProcess, wanted: str) -> dict[str, Any]:
    """The only execution with this prompt or id, once it has finished at the sandbox."""

    async def finished() -> dict[str, Any] | None:
        (only,) = await sandbox_jobs(sandbox, wanted)
        return only if only["endedAt"] else None

    found = await until(finished)
    assert found is not None
    return found


def cancel_unfinished(sandbox: SandboxProcess) -> None:
    """Cancel what still runs: the sandbox runs two jobs at a time, so it would delay the next test."""
    for each in sandbox.control("GET", "truth")["executions"]:
        if each["endedAt"] is None:
            path = f"/v1/tools/executions/{each['toolExecutionId']}/cancel"
            sandbox.call("POST", path).raise_for_status()


def reset_sandbox(sandbox: SandboxProcess) -> None:
    """Remove all faults, cancel all unfinished jobs, and reset the limits of starts and cancels."""
    unlimited = {"POST /v1/tools/executions/{id}/cancel": 10_000, "POST /v1/tools/*": 10_000}
    sandbox.control("PUT", "faults", {"limits": unlimited})
    cancel_unfinished(sandbox)
    sandbox.control("DELETE", "faults")


async def unlimited() -> bool:
    """A polling budget without a limit."""
    return True


async def reset_limits() -> None:
    """Forget the rate limits that VideoGen reported."""
    await runtime.in_db(RateWindow.objects.all().delete)
    rate_limits.forget()


# --- the studio ---------------------------------------------------------------------------------------------


def form(prompt: str, page: str = "") -> dict[str, str]:
    """The studio's form as a browser sends it; its key is taken from `page`, if given."""
    key = {"key": value(page, "key")} if page else {}
    return forms.form(prompt=prompt, aspectRatio="1:1", **key)


async def page_of(browser: Browser, job: Execution) -> str:
    """The HTML of the job's page, as this person sees it."""
    answer = await browser.aget(f"/executions/{job.pk}/")
    assert answer.status_code == 200
    return answer.content.decode()
