"""Wrong clocks, 10,000 running jobs, 1,000 deliveries at once: rows 19, 20 and 34 of docs/reliability.md."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.utils import timezone

from executions.core import runtime
from executions.limits.poll_budget import HOURLY_BUDGET, Budget, SharedBudget
from executions.models import Event, Execution, WebhookDelivery
from executions.models.event import Source
from executions.sync import list_poller
from executions.sync import reconciler as reconcile
from executions.sync.reconciler import Reconciler, poll_interval
from tests import steps
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser, text
from tests.factories import deliveries
from tests.faults.webhook_receiver import (
    LocalServer,
    WebhookReceiver,
    delivery_outcomes,
)
from tests.processes import memory
from tests.steps import ACCEPTED, SENT, STARTED
from tests.waiting import until

IN_FLIGHT, DELIVERIES = 10_000, 1000


@pytest.mark.parametrize("how", ["stale", "future"], ids=["we are 10 min ahead", "we are 10 min behind"])
async def test_polling_finds_the_outcome_when_clocks_differ_by_ten_minutes(
    worker: Reconciler,
    account: SandboxProcess,
    webhook_receiver: WebhookReceiver,
    ada_browser: Browser,
    how: str,
) -> None:
    """Fault 19: clocks 10 minutes apart: 401, nothing stored, counted on the webhooks page; polling finds the outcome."""
    await webhook_receiver.register()
    await steps.add_faults(account, {"kind": "webhook_forge", "how": how})
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)
    worker.wake()

    final = await steps.wait_until_final(job)

    there = await steps.sandbox_outcome(account, prompt)
    assert final.status == there["status"] == "succeeded"
    assert (await steps.events_of(job))[-1][3] == Source.POLL

    async def was_attempted() -> list[int | None]:
        return await webhook_receiver.attempts(final.remote_id)

    assert set(await until(was_attempted)) == {401}
    assert await delivery_outcomes(final.remote_id) == []
    status = await ada_browser.aget("/settings/webhooks/")
    assert "Rejected requests (7 days)" in text(status)
    assert [each.reason for each in status.context["rejections"]] == ["signature"]


@pytest.mark.parametrize("step", [timedelta(minutes=-10), timedelta(hours=-1), timedelta(hours=1)], ids=str)
async def test_a_clock_jump_does_not_change_the_order_of_events(
    account: SandboxProcess,
    webhook_receiver: WebhookReceiver,
    ann_browser: Browser,
    monkeypatch: Any,
    step: timedelta,
) -> None:
    """Fault 19: the server's clock jumps while a job runs: the order of its events and its outcome stay right."""
    await steps.add_faults(account, {"kind": "job", "seconds": 1000})
    job = await steps.started(steps.unique_prompt())
    true_now = timezone.now

    monkeypatch.setattr(timezone, "now", lambda: true_now() + step)

    async def is_running() -> bool:
        return (await steps.poll(job)).status == "running"

    await until(is_running)
    assert (await webhook_receiver.deliver(deliveries.outcome(job.remote_id, "succeeded"))).json() == {
        "outcome": "applied"
    }
    assert (await webhook_receiver.deliver(deliveries.outcome(job.remote_id, "failed"))).json() == {
        "outcome": "too late"
    }

    final = await steps.wait_until_final(job)
    assert final.status == "succeeded"
    assert [step[:3] for step in await steps.events_of(job)] == [
        STARTED[:3],
        SENT[:3],
        ACCEPTED[:3],
        ("status", "pending", "running"),
        ("status", "running", "succeeded"),
    ]
    assert final.ended_at <= timezone.now()
    assert "succeeded" in await steps.page_of(ann_browser, job)


def test_polling_stays_within_the_hourly_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault 20: however many jobs are due, the budget allows less than 5,000 calls in any hour."""
    now = 1000.0
    monkeypatch.setattr(reconcile.time, "monotonic", lambda: now)
    budget = Budget()
    taken: list[float] = []
    for _ in range(2 * 3600 * 4):
        now += 0.25
        while budget.spend_available():
            taken.append(now)

    late = [sum(begun <= at < begun + 3600 for at in taken) for begun in range(1000, 4600, 300)]
    assert max(late) < 5000
    assert len(taken) >= 2 * 3900, "the budget is used"
    # With this many running jobs each is polled so rarely that all of them fit.
    for age in (0.0, 60.0, 100_000.0):
        assert IN_FLIGHT * 3600 / poll_interval(age, IN_FLIGHT).total_seconds() < 5000
        assert poll_interval(age, 10) <= timedelta(seconds=180)


def in_flight() -> list[Execution]:
    """10,000 running jobs that are due."""
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


class BusyService:
    """A VideoGen with 10,000 running jobs. It accepts starts; `pages` says whether it has the list of executions."""

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


async def test_a_list_poll_waits_for_the_budget_to_read_all_due_jobs(
    account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 20: begun again at the first page whenever the budget is empty, the list would never be read to its end."""
    monkeypatch.setattr(list_poller, "BUDGET_INTERVAL", 0)
    # Jobs as old as these are not due again for minutes.
    old = timezone.now() - timedelta(hours=2)
    for _ in range(3):
        await steps.make_due(await steps.accepted(steps.unique_prompt()), accepted_at=old)
    page, has_call = runtime.client().list_executions, itertools.cycle([False, False, True])

    async def small(**kwargs: Any) -> Any:
        return await page(**kwargs, limit=1)

    async def spend_call() -> bool:
        return next(has_call)

    monkeypatch.setattr(runtime.client(), "list_executions", small)
    await list_poller.ListPoller(spend_call, poll_interval).run()
    assert await runtime.in_db(list_poller.due_remote_ids) == set()


@pytest.mark.parametrize("pages", [True, False], ids=["by the list", "one by one"])
@pytest.mark.slow
async def test_ten_thousand_running_jobs_do_not_delay_new_starts(
    account: SandboxProcess, pages: bool
) -> None:
    """Fault 20: 10,000 jobs due at once: polled within the budget, memory flat, and new starts are sent at once."""
    busy_service = BusyService(pages=pages)
    listening = LocalServer(busy_service)
    await listening.start()
    runtime.use_account("any-key", listening.url)
    await runtime.in_db(Execution.objects.bulk_create, await asyncio.to_thread(in_flight))
    reconciler = Reconciler(SharedBudget(reserve=60))
    before, begun = memory(os.getpid()), time.monotonic()
    with reconciler.listening():
        working = asyncio.create_task(reconciler.run())

        async def is_polling() -> bool:
            return len(busy_service.reads) >= 50

        await until(is_polling)
        # Most of the budget is spent; without a list, thousands are still due.
        for _ in range(3):
            job = await steps.queued(steps.unique_prompt())

            async def is_accepted(job: Execution = job) -> bool:
                return (await steps.reload(job)).status == "pending"

            await until(is_accepted)  # not after thousands of polls, which would take hours

        def still_due() -> int:
            due = Execution.objects.due(timezone.now()).filter(remote_id__startswith="vg_exec_")
            return due.count()

        async def none_is_due() -> bool:
            return await runtime.in_db(still_due) == 0

        if pages:  # a few pages of the list cover all of them
            await until(none_is_due, seconds=300)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await reconciler.drain(10)
    elapsed = time.monotonic() - begun
    await runtime.close_client()
    await listening.stop()

    assert len(busy_service.reads) <= 60 + elapsed * HOURLY_BUDGET / 3600 + 1
    assert busy_service.starts == 3
    assert memory(os.getpid()) - before < 60
    assert pages or await runtime.in_db(still_due) > 9000


@pytest.mark.slow
async def test_a_thousand_simultaneous_deliveries_are_all_stored(
    webhook_receiver: WebhookReceiver,
) -> None:
    """Fault 34: 1,000 deliveries at once: a 503 is sent again, each job finishes once."""

    def running(number: int) -> Execution:
        remote_id = f"vg_exec_{number}"
        return Execution(tool="generate-image", status="running", remote_id=remote_id, next_attempt_at=None)

    await runtime.in_db(Execution.objects.bulk_create, [running(number) for number in range(DELIVERIES)])
    bodies = [
        json.dumps(deliveries.outcome(f"vg_exec_{number}", "succeeded")).encode()
        for number in range(DELIVERIES)
    ]

    statuses = await asyncio.gather(*(post(webhook_receiver.url, body) for body in bodies))

    # A machine too slow for VideoGen's time-out asks for some of them again.
    again = [body for body, status in zip(bodies, statuses, strict=True) if status == 503]
    assert statuses.count(200) + len(again) == DELIVERIES
    while again:
        statuses = [await post(webhook_receiver.url, body) for body in again]
        assert set(statuses) <= {200, 503}
        again = [body for body, status in zip(again, statuses, strict=True) if status == 503]
    succeeded = Execution.objects.filter(status="succeeded")
    assert await runtime.in_db(succeeded.count) == DELIVERIES
    assert await runtime.in_db(Event.objects.filter(to_status="succeeded").count) == DELIVERIES
    assert await runtime.in_db(WebhookDelivery.objects.filter(outcome="applied").count) == DELIVERIES


async def post(url: str, body: bytes) -> int:
    """Send one delivery over a new connection, as cheaply as possible; the status of the response."""
    host, _, rest = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    head = {
        **deliveries.signed(body),
        "content-type": "application/json",
        "host": host,
        "connection": "close",
    }
    head["content-length"] = str(len(body))
    lines = [f"POST /{rest} HTTP/1.1", *(f"{key}: {value}" for key, value in head.items()), "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    status = int((await reader.readline()).split()[1])
    await reader.read()
    writer.close()
    await writer.wait_closed()
    return status
