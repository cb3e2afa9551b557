"""Wrong clocks, very many jobs, very many deliveries: rows 19, 20 and 34 of the list of faults."""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.utils import timezone

from executions.core import runtime
from executions.limits.poll_budget import HOURLY_BUDGET, Budget, SharedBudget
from executions.models import Event, Execution, WebhookDelivery
from executions.models.event import Source
from executions.sync import reconciler as reconcile
from executions.sync.reconciler import Reconciler, poll_interval
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser, text
from tests.faults import scenes
from tests.faults.receiving import Listening, Receiving, outcomes, signed, tells
from tests.faults.scenes import ACCEPTED, SENT, STARTED
from tests.waiting import until

IN_FLIGHT, DELIVERIES = 10_000, 1000


@pytest.mark.parametrize("how", ["stale", "future"], ids=["we are 10 min ahead", "we are 10 min behind"])
async def test_with_clocks_ten_minutes_apart_the_poll_finds_the_end(
    worker: Reconciler, account: SandboxProcess, receiving: Receiving, ada_browser: Browser, how: str
) -> None:
    """Fault 19: clocks 10 minutes apart: 401, nothing stored, counted on the webhooks page; the poll finds the end."""
    await receiving.register()
    await scenes.order(account, {"kind": "webhook_forge", "how": how})
    prompt = scenes.words()
    job = await scenes.queued(prompt)
    worker.wake()

    final = await scenes.ended(job)

    there = await scenes.true_end(account, prompt)
    assert final.status == there["status"] == "succeeded"
    assert (await scenes.story(job))[-1][3] == Source.POLL

    async def was_attempted() -> list[int | None]:
        return await receiving.attempts(final.remote_id)

    assert set(await until(was_attempted)) == {401}
    assert await outcomes(final.remote_id) == []
    status = await ada_browser.aget("/settings/webhooks/")
    assert "Rejected requests (7 days)" in text(status)
    assert [each.reason for each in status.context["rejections"]] == ["signature"]


@pytest.mark.parametrize("step", [timedelta(minutes=-10), timedelta(hours=-1), timedelta(hours=1)], ids=str)
async def test_a_clock_that_steps_does_not_change_the_order(
    account: SandboxProcess, receiving: Receiving, ann_browser: Browser, monkeypatch: Any, step: timedelta
) -> None:
    """Fault 19: our clock steps in the middle of a job: the order of its events and its end stay right."""
    await scenes.order(account, {"kind": "job", "seconds": 1000})
    job = await scenes.started(scenes.words())
    true_now = timezone.now

    monkeypatch.setattr(timezone, "now", lambda: true_now() + step)

    async def runs() -> bool:
        return (await scenes.look_after(job)).status == "running"

    await until(runs)
    assert (await receiving.deliver(tells(job.remote_id, "succeeded"))).json() == {"outcome": "applied"}
    assert (await receiving.deliver(tells(job.remote_id, "failed"))).json() == {"outcome": "too late"}

    final = await scenes.ended(job)
    assert final.status == "succeeded"
    assert [step[:3] for step in await scenes.story(job)] == [
        STARTED[:3],
        SENT[:3],
        ACCEPTED[:3],
        ("status", "pending", "running"),
        ("status", "running", "succeeded"),
    ]
    assert final.ended_at <= timezone.now()
    assert "succeeded" in await scenes.page_of(ann_browser, job)


def test_an_hour_of_asking_stays_within_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 20: whatever is due, the budget hands out less than 5,000 calls in any hour."""
    now = 1000.0
    monkeypatch.setattr(reconcile.time, "monotonic", lambda: now)
    budget = Budget()
    taken: list[float] = []
    for _ in range(2 * 3600 * 4):
        now += 0.25
        while budget.take():
            taken.append(now)

    late = [sum(begun <= at < begun + 3600 for at in taken) for begun in range(1000, 4600, 300)]
    assert max(late) < 5000
    assert len(taken) >= 2 * 3900, "and what is allowed is used"
    # With this many in flight each is asked after so rarely that all of them fit.
    for age in (0.0, 60.0, 100_000.0):
        assert IN_FLIGHT * 3600 / poll_interval(age, IN_FLIGHT).total_seconds() < 5000
        assert poll_interval(age, 10) <= timedelta(seconds=180)


def resident() -> float:
    """This process's memory in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def in_flight() -> list[Execution]:
    """10,000 jobs that run and are due."""
    now = timezone.now()
    old = now - timedelta(hours=2)
    return [
        Execution(
            tool="generate-image",
            status="running",
            remote_id=f"vg_exec_{number}",
            accepted_at=old,
            next_attempt_at=now,
        )
        for number in range(IN_FLIGHT)
    ]


class Crowd:
    """A service with 10,000 running jobs: `pages` says whether it has the list of executions. Starts are taken."""

    def __init__(self, *, pages: bool) -> None:
        self.pages = pages
        self.reads: list[str] = []
        self.starts = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path, status, answer = scope["path"], 200, {}
        if scope["method"] == "POST":
            self.starts += 1
            status, answer = 202, {"toolExecutionId": f"vg_new_{self.starts}"}
        else:
            self.reads.append(path)
            if path != "/v1/tools/executions":
                answer = {"toolExecutionId": path.rpartition("/")[2], "status": "running"}
            elif self.pages:
                answer = self.page(int(parse_qs(scope["query_string"].decode()).get("cursor", ["0"])[0]))
            else:
                status, answer = 404, {"message": "Not found."}
        body = json.dumps(answer).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def page(self, first: int) -> dict[str, Any]:
        numbers = range(first, min(first + 200, IN_FLIGHT))
        items = [{"toolExecutionId": f"vg_exec_{number}", "status": "running"} for number in numbers]
        cursor = str(first + 200) if first + 200 < IN_FLIGHT else None
        return {"toolExecutions": items, "hasMore": cursor is not None, "nextCursor": cursor}


@pytest.mark.parametrize("pages", [True, False], ids=["by the list", "one by one"])
async def test_ten_thousand_jobs_in_flight_leave_room_for_others(
    account: SandboxProcess, pages: bool
) -> None:
    """Fault 20: 10,000 jobs due at once: asked within the budget, memory flat, and new starts go out at once."""
    crowd = Crowd(pages=pages)
    listening = Listening(crowd)
    await listening.start()
    runtime.use_account("any-key", listening.url)
    await runtime.in_db(Execution.objects.bulk_create, await asyncio.to_thread(in_flight))
    reconciler = Reconciler()
    reconciler._budget = SharedBudget(reserve=60)
    before, begun = resident(), time.monotonic()
    with reconciler.listening():
        working = asyncio.create_task(reconciler.run())

        async def is_under_way() -> bool:
            return len(crowd.reads) >= 50

        await until(is_under_way)
        # Most of the budget is spent; where there is no list, thousands are still due.
        for _ in range(3):
            job = await scenes.queued(scenes.words())

            async def was_taken(job: Execution = job) -> bool:
                return (await scenes.row(job)).status == "pending"

            await until(was_taken, seconds=20)  # at once, not after thousands

        def still_due() -> int:
            due = Execution.objects.due(timezone.now()).filter(remote_id__startswith="vg_exec_")
            return due.count()

        async def none_is_due() -> bool:
            return await runtime.in_db(still_due) == 0

        if pages:  # a few pages of the list answer for all of them
            await until(none_is_due, seconds=60)
        cpu = time.process_time()
        await asyncio.wait({working}, timeout=2)
        cpu = time.process_time() - cpu
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await reconciler.drain(10)
    elapsed = time.monotonic() - begun
    await runtime.close_client()
    await listening.stop()

    assert len(crowd.reads) <= 60 + elapsed * HOURLY_BUDGET / 3600 + 1
    assert crowd.starts == 3
    assert cpu < 1, "what may not be asked after is left alone"
    assert resident() - before < 60
    assert pages or await runtime.in_db(still_due) > 9000


async def test_a_thousand_deliveries_at_once_are_all_kept_and_answered(receiving: Receiving) -> None:
    """Fault 34: 1,000 deliveries at once: less than 15 s of work, what is told to come again does, each job ended once."""

    def running(number: int) -> Execution:
        remote_id = f"vg_exec_{number}"
        return Execution(tool="generate-image", status="running", remote_id=remote_id, next_attempt_at=None)

    await runtime.in_db(Execution.objects.bulk_create, [running(number) for number in range(DELIVERIES)])
    bodies = [json.dumps(tells(f"vg_exec_{number}", "succeeded")) for number in range(DELIVERIES)]
    begun = time.process_time()

    said = await asyncio.gather(*(post(receiving.url, body) for body in bodies))

    # All were offered at once, so the last answer came after the work for all: the time of one free processor.
    took = time.process_time() - begun
    assert took < 15
    # A machine that is slower than VideoGen is patient asks for some of them once more.
    again = [body for body, status in zip(bodies, said, strict=True) if status == 503]
    assert said.count(200) + len(again) == DELIVERIES
    while again:
        told = [await post(receiving.url, body) for body in again]
        assert set(told) <= {200, 503}
        again = [body for body, status in zip(again, told, strict=True) if status == 503]
    succeeded = Execution.objects.filter(status="succeeded")
    assert await runtime.in_db(succeeded.count) == DELIVERIES
    assert await runtime.in_db(Event.objects.filter(to_status="succeeded").count) == DELIVERIES
    assert await runtime.in_db(WebhookDelivery.objects.filter(outcome="applied").count) == DELIVERIES


async def post(url: str, body: str) -> int:
    """One delivery over a connection of its own, as cheap as can be: the status of its answer."""
    host, _, rest = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    head = {**signed(body), "host": host, "content-length": str(len(body.encode())), "connection": "close"}
    lines = [f"POST /{rest} HTTP/1.1", *(f"{key}: {value}" for key, value in head.items()), "", ""]
    writer.write("\r\n".join(lines).encode() + body.encode())
    status = int((await reader.readline()).split()[1])
    await reader.read()
    writer.close()
    await writer.wait_closed()
    return status
