"""Failing polls and unknown responses: rows 15 to 18 and 21 of docs/reliability.md."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from executions.core import runtime
from executions.models import Execution, File, WebhookDelivery
from executions.models.event import Source
from executions.sync.reconciler import POLL_INTERVALS, Reconciler
from executions.videogen import Timeouts
from executions.videogen import client as client_module
from tests import steps
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser, text
from tests.executions.videogen.misbehaving_service import Service, hangs_up, never_responds, responds
from tests.factories import deliveries
from tests.faults.webhook_receiver import WebhookReceiver, delivery_outcomes
from tests.steps import ACCEPTED, READS, SENT, STARTED
from tests.waiting import until

HOUR = timedelta(hours=1)
QUICK = Timeouts(read=0.3)


async def accepted(service: Service) -> Execution:
    """A job that the misbehaving service accepted."""
    service.respond_with(responds(202, {"toolExecutionId": "vg_exec_1"}))
    job = await steps.started(steps.unique_prompt())
    service.requests.clear()
    return job


async def test_a_404_is_ignored_for_a_new_job_and_reported_for_an_old_one(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 15: a job just started is polled again; an old one is shown as no longer known, and still polled."""
    prompt = steps.unique_prompt()
    job = await steps.started(prompt)
    await steps.add_faults(account, {"kind": "not_found", "match": READS})

    young = await steps.poll(job)
    assert (young.status, young.note) == ("pending", "")
    assert steps.seconds_until_due(young) <= 2.4
    assert "no longer knows" not in await steps.page_of(ann_browser, job)

    await steps.make_due(job, accepted_at=timezone.now() - HOUR)
    old = await steps.poll(job)
    assert (old.status, old.note) == ("pending", "VideoGen no longer knows this job")
    assert 570 < steps.seconds_until_due(old) <= 600
    assert "VideoGen no longer knows this job" in await steps.page_of(ann_browser, job)
    assert await steps.events_of(job) == [STARTED, SENT, ACCEPTED]

    # The error was temporary: the job gets the outcome that it has at VideoGen.
    await steps.clear_faults(account)
    there = await steps.sandbox_outcome(account, prompt)
    final = await steps.poll(job)
    assert (final.status, final.note) == (there["status"], "") == ("succeeded", "")
    assert (await steps.events_of(job))[3:] == [("status", "pending", "succeeded", Source.POLL)]


@pytest.mark.parametrize(
    "behavior",
    [responds(500, b"<h1>oops</h1>"), responds(503, {"message": "later"}), hangs_up(), never_responds()],
    ids=["500", "503", "cut", "silence"],
)
async def test_failing_polls_back_off_and_the_page_says_so(
    service: Service, ann_browser: Browser, monkeypatch: Any, behavior: Any
) -> None:
    """Fault 16: a failing poll is one call; the wait grows to five minutes; the page says what is known."""
    job = await accepted(service)
    await runtime.close_client()
    monkeypatch.setattr(client_module, "Timeouts", lambda: QUICK)
    service.respond_with(behavior)

    waits = []
    for _ in range(10):
        job = await steps.poll(job)
        waits.append(steps.seconds_until_due(job))

    assert len(service.requests) == 10, (
        "the hourly limit counts each call, so a failed poll is not retried at once"
    )
    assert (job.status, job.attempts) == ("pending", 10)
    assert steps.backs_off(waits), waits
    assert "VideoGen does not respond; retrying" in await steps.page_of(ann_browser, job)
    assert await steps.events_of(job) == [STARTED, SENT, ACCEPTED]

    service.respond_with(responds(200, {"toolExecutionId": "vg_exec_1", "status": "running"}))
    job = await steps.poll(job)
    assert (job.status, job.attempts, job.note) == ("running", 0, "")
    assert steps.seconds_until_due(job) <= 1


async def test_no_job_is_polled_while_the_hourly_limit_is_used_up(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 16: a 429 for an hour: no other call for any job, and the page says so."""
    prompts = [steps.unique_prompt() for _ in range(5)]
    started = [await steps.started(prompt) for prompt in prompts]
    await steps.add_faults(
        account, {"kind": "rate_limited", "hint": "retry_after", "seconds": 3600, "match": READS}
    )
    reconciler = Reconciler()

    first = await steps.poll(started[0], reconciler)
    others = [await steps.poll(job, reconciler) for job in started[1:]]
    await steps.poll(started[0], reconciler)

    assert await steps.times_triggered(account, "rate_limited") == 1
    assert 3570 < steps.seconds_until_due(first) <= 3600
    assert "hourly limit is used up" in await steps.page_of(ann_browser, first)
    assert {job.status for job in others} == {"pending"}
    for prompt in prompts:
        await steps.sandbox_outcome(account, prompt)


async def test_unknown_statuses_events_and_fields_are_stored_and_shown(
    account: SandboxProcess, webhook_receiver: WebhookReceiver, ann_browser: Browser
) -> None:
    """Fault 17: an unknown status, event or toolType, and unknown fields, are stored, shown neutrally, answered 2xx."""
    await steps.add_faults(
        account,
        {"kind": "unknown_fields", "match": "* /v1/tools/*"},
        {"kind": "unknown_status", "value": "being_dreamt", "match": READS},
    )
    job = await steps.started(steps.unique_prompt())
    assert job.start_answer["novelty"] == {"since": "tomorrow"}
    polled = await steps.poll(job)

    assert (polled.status, polled.last_answer["novelty"]) == ("being_dreamt", {"since": "tomorrow"})
    assert "being dreamt" in await steps.page_of(ann_browser, job)
    assert "being dreamt" in text(await ann_browser.aget("/"))
    assert (await ann_browser.aget("/executions/", {"status": "being_dreamt"})).status_code == 200

    unknown = {"event": "tool_execution.dreamt", "toolExecutionId": polled.remote_id, "why": [None, {}]}
    assert (await webhook_receiver.deliver(unknown)).json() == {"outcome": "unknown event"}
    assert (await webhook_receiver.deliver({"event": "moon.full"})).status_code == 200
    assert await delivery_outcomes(polled.remote_id) == ["unknown event"]
    assert (await steps.reload(job)).status == "being_dreamt"

    # An outcome counts even with few fields, and from an unknown tool.
    minimal = {"event": "tool_execution.succeeded", "toolExecutionId": polled.remote_id, "toolType": "DREAM"}
    assert (await webhook_receiver.deliver(minimal)).json() == {"outcome": "applied"}
    final = await steps.wait_until_final(job)
    assert (final.status, final.ended_at <= timezone.now()) == ("succeeded", True)
    assert [step[:3] for step in (await steps.events_of(job))[3:]] == [
        ("status", "pending", "being_dreamt"),
        ("status", "being_dreamt", "succeeded"),
    ]
    stored = await runtime.in_db(WebhookDelivery.objects.get, event="tool_execution.dreamt")
    assert b'"why"' in bytes(stored.body)


@pytest.mark.parametrize(
    "answer",
    [
        {"toolExecutionId": "vg_exec_1", "status": "running"},
        {"toolExecutionId": "vg_exec_1", "status": "running", "progressPercentage": None, "results": None},
        {"toolExecutionId": "vg_exec_1", "status": "running", "progressPercentage": "4", "attemptIndex": -1},
        {"toolExecutionId": "vg_exec_1", "status": "running", "error": [], "toolType": {"a": 1}},
    ],
    ids=["absent", "null", "wrong types", "wrong shapes"],
)
async def test_optional_fields_may_be_missing_or_wrong(
    service: Service, ann_browser: Browser, answer: dict[str, Any]
) -> None:
    """Fault 17: of a response with missing, null or wrong optional fields the valid ones are used."""
    job = await accepted(service)
    service.respond_with(responds(200, answer))

    polled = await steps.poll(job)

    assert (polled.status, polled.progress, polled.attempt, polled.error) == ("running", None, None, None)
    assert (await ann_browser.aget(f"/executions/{job.pk}/")).status_code == 200


async def test_a_success_without_results_is_shown_as_such(
    account: SandboxProcess, webhook_receiver: WebhookReceiver, ann_browser: Browser
) -> None:
    """Fault 18: succeeded without results: the job has succeeded, and nothing is invented."""
    await webhook_receiver.register()
    await steps.add_faults(account, {"kind": "job", "without_results": True})
    prompt = steps.unique_prompt()
    final = await steps.wait_until_final(await steps.started(prompt))

    assert (await steps.sandbox_outcome(account, prompt))["results"] == []
    assert (final.status, await runtime.in_db(final.results.count)) == ("succeeded", 0)
    assert "succeeded, 0 results" in await steps.page_of(ann_browser, final)


async def test_results_of_unknown_types_are_stored_and_missing_files_are_reported(
    account: SandboxProcess, webhook_receiver: WebhookReceiver, ann_browser: Browser
) -> None:
    """Fault 18: a result of an unknown type is stored as it is; a missing file gets a clear message."""
    await steps.add_faults(account, {"kind": "job", "seconds": 1000})
    job = await steps.started(steps.unique_prompt())
    results = [{"fileId": "vg_file_0", "type": "HOLOGRAM"}, {"fileId": "vg_file_1"}, {"type": "IMAGE"}, 7]
    await webhook_receiver.deliver(deliveries.outcome(job.remote_id, "succeeded", results=results))

    final = await steps.wait_until_final(job)

    assert final.status == "succeeded"
    stored = await runtime.in_db(lambda: list(final.results.values_list("file__remote_id", "file__type")))
    assert stored == [("vg_file_0", "HOLOGRAM"), ("vg_file_1", "")]
    page = await steps.page_of(ann_browser, final)
    assert "succeeded, 2 results" in page
    assert len((await steps.reload(job)).last_answer["results"]) == 4, "the response is stored as received"
    files = await runtime.in_db(lambda: list(final.results.values_list("file_id", flat=True)))
    for file_id in files:
        new = await ann_browser.aget(f"/files/{file_id}/preview")
        assert new.status_code == 503, "a 404 for a new file is ignored"
        await runtime.in_db(
            File.objects.filter(pk=file_id).update, created_at=timezone.now() - timedelta(minutes=2)
        )
        missing = await ann_browser.aget(f"/files/{file_id}/preview")
        assert missing.status_code == 404
        assert "VideoGen no longer has this file." in text(missing)


async def test_a_job_that_awaits_approval_is_shown_and_polled_rarely(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 21: awaiting_approval is shown as such, polled ever more rarely, and gets the right outcome."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "job", "status": "awaiting_approval", "seconds": 1000})
    job = await steps.started(prompt)

    async def awaits_approval() -> bool:
        return (await steps.poll(job)).status == "awaiting_approval"

    await until(awaits_approval)
    assert "awaiting approval" in await steps.page_of(ann_browser, job)
    waits = []
    for age, _ in POLL_INTERVALS:
        await steps.make_due(job, accepted_at=timezone.now() - timedelta(seconds=age + 1))
        waits.append(steps.seconds_until_due(await steps.poll(job)))
    assert [5 * math.ceil(wait / 5) for wait in waits] == [20, 20, 20, 180]
    # The approval is denied.
    account.call("POST", f"/v1/tools/executions/{job.remote_id}/cancel")
    there = await steps.sandbox_outcome(account, prompt)
    await steps.poll(job)
    assert (await steps.wait_until_final(job)).status == there["status"] == "cancelled"
