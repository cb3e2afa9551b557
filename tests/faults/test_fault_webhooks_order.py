"""Webhooks that are lost, repeated or out of order: rows 11 to 14 of docs/reliability.md."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from executions.core import runtime
from executions.models import Execution
from executions.models.event import Source
from executions.sync import reconciler
from executions.sync.reconciler import Reconciler
from tests import steps
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser
from tests.executions.videogen.misbehaving_service import Behavior, Service, responds
from tests.factories import deliveries
from tests.faults.relay import Relay
from tests.faults.webhook_receiver import WebhookReceiver, delivery_outcomes
from tests.steps import ACCEPTED, READS, SENT, STARTED
from tests.waiting import until

EXECUTION_EVENTS = "tool_execution.*"


async def test_polling_finds_an_outcome_whose_webhook_never_arrives(
    worker: Reconciler,
    webhook_receiver: WebhookReceiver,
    account: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fault 11: the webhook never arrives: polling finds the outcome within its interval, once."""
    # Only the time of the job's next poll may wake the reconciler.
    monkeypatch.setattr(reconciler, "MAX_SLEEP", 600.0)
    monkeypatch.setattr(worker, "max_sleep", 600.0)
    await webhook_receiver.register()
    await steps.add_faults(account, {"kind": "webhook_drop"}, {"kind": "job", "seconds": 1.5})
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)
    worker.wake()

    there = await until(lambda: finished_job(account, prompt))
    # A new job is polled every second or two; the rest of the deadline is for a slow machine.
    final = await steps.wait_until_final(job)

    assert final.status == there["status"] == "succeeded"
    events = await steps.events_of(job)
    assert events[:3] == [STARTED, SENT, ACCEPTED]
    assert events[-1][2:] == ("succeeded", Source.POLL)
    assert await delivery_outcomes(there["toolExecutionId"]) == []


async def finished_job(sandbox: SandboxProcess, prompt: str) -> dict[str, Any] | None:
    found = await steps.sandbox_jobs(sandbox, prompt)
    return found[0] if found and found[0]["endedAt"] else None


async def test_ten_simultaneous_copies_of_a_webhook_are_applied_once(
    webhook_receiver: WebhookReceiver, account: SandboxProcess
) -> None:
    """Fault 12: the same message ten times in parallel: one change, one event, all answered 2xx."""
    await webhook_receiver.register()
    await steps.add_faults(account, {"kind": "webhook_double", "copies": 10, "match": EXECUTION_EVENTS})
    job = await steps.started(steps.unique_prompt())

    final = await steps.wait_until_final(job)

    async def all_were_sent() -> bool:
        return len(await webhook_receiver.attempts(final.remote_id)) == 10

    await until(all_were_sent)
    assert await webhook_receiver.attempts(final.remote_id) == [200] * 10
    assert await delivery_outcomes(final.remote_id) == ["applied"]
    assert await steps.events_of(job) == [
        STARTED,
        SENT,
        ACCEPTED,
        ("status", "pending", "succeeded", Source.WEBHOOK),
    ]
    # Two messages from different endpoints about one outcome are two deliveries, and still one change.
    both = await asyncio.gather(
        *(webhook_receiver.deliver(deliveries.outcome(final.remote_id, "succeeded")) for _ in range(2))
    )
    assert [answer.status_code for answer in both] == [200, 200]
    assert await delivery_outcomes(final.remote_id) == ["applied", "too late", "too late"]
    assert len(await steps.events_of(job)) == 4


async def test_webhooks_in_reverse_order_lead_to_the_same_outcomes(
    webhook_receiver: WebhookReceiver, account: SandboxProcess
) -> None:
    """Fault 13: the messages of four jobs arrive in reverse order: each job gets its true outcome, once."""
    await webhook_receiver.register()
    await steps.add_faults(account, {"kind": "webhook_hold"}, {"kind": "job", "seconds": 0.2})
    prompts = [f"{steps.unique_prompt()} [fail:content_policy]", *(steps.unique_prompt() for _ in range(3))]
    started = [await steps.started(prompt) for prompt in prompts]
    outcomes = [await steps.sandbox_outcome(account, prompt) for prompt in prompts]

    released = await steps.control(account, "POST", "deliveries/release?backwards=true")

    assert released["released"] >= 4
    finals = [await steps.wait_until_final(job) for job in started]
    assert [job.status for job in finals] == [outcome["status"] for outcome in outcomes]
    assert sorted(job.status for job in finals) == ["failed", "succeeded", "succeeded", "succeeded"]
    for job, outcome in zip(finals, outcomes, strict=True):
        assert await delivery_outcomes(outcome["toolExecutionId"]) == ["applied"]
        assert (await steps.events_of(job))[3][2:] == (job.status, Source.WEBHOOK)
        stored = await runtime.in_db(lambda job=job: list(job.results.values_list("file__remote_id")))
        assert stored == [(result["fileId"],) for result in outcome["results"]]


async def test_reports_after_the_outcome_change_nothing(
    webhook_receiver: WebhookReceiver, account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 13: a late `failed`, `cancelled` or second `succeeded` is accepted and changes nothing."""
    await webhook_receiver.register()
    final = await steps.wait_until_final(await steps.started(steps.unique_prompt()))
    before = await runtime.in_db(Execution.objects.filter(pk=final.pk).values().get)
    events = await steps.events_of(final)

    for status in ("failed", "cancelled", "succeeded"):
        late = deliveries.outcome(final.remote_id, status, error={"message": "too late"})
        assert (await webhook_receiver.deliver(late)).json() == {"outcome": "too late"}
    await steps.poll(final)

    after = await runtime.in_db(Execution.objects.filter(pk=final.pk).values().get)
    assert {**after, "next_attempt_at": None, "leased_until": None} == before
    assert await steps.events_of(final) == events
    assert "too late" not in await steps.page_of(ann_browser, final)


async def test_a_poll_response_older_than_the_webhook_is_ignored(
    relay: Relay, webhook_receiver: WebhookReceiver, account: SandboxProcess
) -> None:
    """Fault 14: a response "running" that arrives after the webhook with the outcome changes nothing."""
    await webhook_receiver.register()
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "job", "seconds": 2.0})
    job = await steps.started(prompt)
    relay.hold_pattern = READS

    polling = asyncio.create_task(steps.poll(job))
    answer = await relay.next_held()
    final = await steps.wait_until_final(job)
    events = await steps.events_of(job)
    answer.release.set()
    await polling

    assert final.status == "succeeded"
    assert (await steps.reload(job)).version == final.version
    assert await steps.events_of(job) == events
    assert events[-1][2:] == ("succeeded", Source.WEBHOOK)


def status_response(status: str, **fields: Any) -> Behavior:
    """A response to a poll."""
    return responds(200, {"toolExecutionId": "vg_exec_1", "status": status, **fields})


async def test_progress_and_attempts_never_decrease(service: Service) -> None:
    """Fault 14: decreasing progress within an attempt, an older attempt, and `pending` after `running` are ignored."""
    service.respond_with(responds(202, {"toolExecutionId": "vg_exec_1"}))
    job = await steps.started(steps.unique_prompt())
    reports = (
        ("running", 0, 60.0, ("running", 0, 60.0)),
        ("running", 0, 40.0, ("running", 0, 60.0)),
        ("pending", 0, None, ("running", 0, 60.0)),
        ("running", 0, None, ("running", 0, 60.0)),
        # A second attempt starts from the beginning ...
        ("running", 1, 5.0, ("running", 1, 5.0)),
        # ... and a response about the first one is outdated.
        ("running", 0, 95.0, ("running", 1, 5.0)),
        ("running", 1, 30.0, ("running", 1, 30.0)),
    )
    for status, attempt, progress, expected in reports:
        service.respond_with(status_response(status, attemptIndex=attempt, progressPercentage=progress))
        polled = await steps.poll(job)
        assert (polled.status, polled.attempt, polled.progress) == expected

    assert [step[:3] for step in await steps.events_of(job)] == [
        ("started", "", "queued"),
        ("sent", "queued", "queued"),
        ("status", "queued", "pending"),
        ("status", "pending", "running"),
        ("attempt", "running", "running"),
    ]
