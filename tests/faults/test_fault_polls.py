"""Polls that fail, and answers that we do not know: rows 15 to 18 and 21 of the list of faults."""

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
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser, text
from tests.executions.videogen.misbehaving_service import Service, answers, hangs_up, never_answers
from tests.faults import scenes
from tests.faults.receiving import Receiving, outcomes, tells
from tests.faults.scenes import ACCEPTED, READS, SENT, STARTED
from tests.waiting import until

HOUR = timedelta(hours=1)
QUICK = Timeouts(read=0.3)


async def accepted(service: Service) -> Execution:
    """A job that the misbehaving service took."""
    service.will(answers(202, {"toolExecutionId": "vg_exec_1"}))
    job = await scenes.started(scenes.words())
    service.asked.clear()
    return job


async def test_a_404_is_not_believed_for_a_young_job_and_said_for_an_old_one(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 15: a job just started is asked after again; an old one is shown as no longer known, and still asked."""
    prompt = scenes.words()
    job = await scenes.started(prompt)
    await scenes.order(account, {"kind": "not_found", "match": READS})

    young = await scenes.look_after(job)
    assert (young.status, young.note) == ("pending", "")
    assert scenes.wait_of(young) <= 2.4
    assert "no longer knows" not in await scenes.page_of(ann_browser, job)

    await scenes.make_due(job, accepted_at=timezone.now() - HOUR)
    old = await scenes.look_after(job)
    assert (old.status, old.note) == ("pending", "VideoGen no longer knows this job")
    assert 570 < scenes.wait_of(old) <= 600
    assert "VideoGen no longer knows this job" in await scenes.page_of(ann_browser, job)
    assert await scenes.story(job) == [STARTED, SENT, ACCEPTED]

    # It was a passing trouble of theirs: the job ends as it did there.
    await scenes.well_again(account)
    there = await scenes.true_end(account, prompt)
    final = await scenes.look_after(job)
    assert (final.status, final.note) == (there["status"], "") == ("succeeded", "")
    assert (await scenes.story(job))[3:] == [("status", "pending", "succeeded", Source.POLL)]


@pytest.mark.parametrize(
    "behaviour",
    [answers(500, b"<h1>oops</h1>"), answers(503, {"message": "later"}), hangs_up(), never_answers()],
    ids=["500", "503", "cut", "silence"],
)
async def test_while_polls_fail_they_become_rarer_and_the_page_says_so(
    service: Service, ann_browser: Browser, monkeypatch: Any, behaviour: Any
) -> None:
    """Fault 16: a poll that fails is one call; the wait grows to five minutes; the page says what is known."""
    job = await accepted(service)
    await runtime.close_client()
    monkeypatch.setattr(client_module, "Timeouts", lambda: QUICK)
    service.will(behaviour)

    waits = []
    for _ in range(10):
        job = await scenes.look_after(job)
        waits.append(scenes.wait_of(job))

    assert len(service.asked) == 10, "the hourly limit counts each call, so a failed look must not be three"
    assert (job.status, job.attempts) == ("pending", 10)
    assert scenes.backs_off(waits), waits
    assert "VideoGen does not respond; retrying" in await scenes.page_of(ann_browser, job)
    assert await scenes.story(job) == [STARTED, SENT, ACCEPTED]

    service.will(answers(200, {"toolExecutionId": "vg_exec_1", "status": "running"}))
    job = await scenes.look_after(job)
    assert (job.status, job.attempts, job.note) == ("running", 0, "")
    assert scenes.wait_of(job) <= 1


async def test_while_the_hourly_limit_is_used_up_no_job_is_asked_after(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 16: a 429 for an hour: that one call and no other for any job, and the page says so."""
    prompts = [scenes.words() for _ in range(5)]
    started = [await scenes.started(prompt) for prompt in prompts]
    await scenes.order(
        account, {"kind": "rate_limited", "hint": "retry_after", "seconds": 3600, "match": READS}
    )
    reconciler = Reconciler()

    first = await scenes.look_after(started[0], reconciler)
    others = [await scenes.look_after(job, reconciler) for job in started[1:]]
    await scenes.look_after(started[0], reconciler)

    assert await scenes.struck(account, "rate_limited") == 1
    assert 3570 < scenes.wait_of(first) <= 3600
    assert "hourly limit is used up" in await scenes.page_of(ann_browser, first)
    assert {job.status for job in others} == {"pending"}
    for prompt in prompts:
        await scenes.true_end(account, prompt)


async def test_what_we_do_not_know_is_kept_and_shown(
    account: SandboxProcess, receiving: Receiving, ann_browser: Browser
) -> None:
    """Fault 17: an unknown status, event, toolType and unknown fields are kept, shown neutrally, answered 2xx."""
    await scenes.order(
        account,
        {"kind": "unknown_fields", "match": "* /v1/tools/*"},
        {"kind": "unknown_status", "value": "being_dreamt", "match": READS},
    )
    job = await scenes.started(scenes.words())
    assert job.start_answer["novelty"] == {"since": "tomorrow"}
    seen = await scenes.look_after(job)

    assert (seen.status, seen.last_answer["novelty"]) == ("being_dreamt", {"since": "tomorrow"})
    assert "being dreamt" in await scenes.page_of(ann_browser, job)
    assert "being dreamt" in text(await ann_browser.aget("/"))
    assert (await ann_browser.aget("/executions/", {"status": "being_dreamt"})).status_code == 200

    strange = {"event": "tool_execution.dreamt", "toolExecutionId": seen.remote_id, "why": [None, {}]}
    assert (await receiving.deliver(strange)).json() == {"outcome": "unknown event"}
    assert (await receiving.deliver({"event": "moon.full"})).status_code == 200
    assert await outcomes(seen.remote_id) == ["unknown event"]
    assert (await scenes.row(job)).status == "being_dreamt"

    # An end with hardly a field, of a tool that we do not know, is an end.
    bare = {"event": "tool_execution.succeeded", "toolExecutionId": seen.remote_id, "toolType": "DREAM"}
    assert (await receiving.deliver(bare)).json() == {"outcome": "applied"}
    final = await scenes.ended(job)
    assert (final.status, final.ended_at <= timezone.now()) == ("succeeded", True)
    assert [step[:3] for step in (await scenes.story(job))[3:]] == [
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
    """Fault 17: an answer whose optional fields are absent, null or of a wrong type counts as far as it says something."""
    job = await accepted(service)
    service.will(answers(200, answer))

    seen = await scenes.look_after(job)

    assert (seen.status, seen.progress, seen.attempt, seen.error) == ("running", None, None, None)
    assert (await ann_browser.aget(f"/executions/{job.pk}/")).status_code == 200


async def test_a_success_without_results_is_shown_as_it_is(
    account: SandboxProcess, receiving: Receiving, ann_browser: Browser
) -> None:
    """Fault 18: succeeded without results: the job has succeeded, and nothing is made up."""
    await receiving.register()
    await scenes.order(account, {"kind": "job", "without_results": True})
    prompt = scenes.words()
    final = await scenes.ended(await scenes.started(prompt))

    assert (await scenes.true_end(account, prompt))["results"] == []
    assert (final.status, await runtime.in_db(final.results.count)) == ("succeeded", 0)
    assert "succeeded, 0 results" in await scenes.page_of(ann_browser, final)


async def test_results_of_another_type_and_files_that_are_gone_are_said(
    account: SandboxProcess, receiving: Receiving, ann_browser: Browser
) -> None:
    """Fault 18: a result of an unknown type is kept as it is; one whose file is gone leads to a clear word."""
    await scenes.order(account, {"kind": "job", "seconds": 1000})
    job = await scenes.started(scenes.words())
    results = [{"fileId": "vg_file_0", "type": "HOLOGRAM"}, {"fileId": "vg_file_1"}, {"type": "IMAGE"}, 7]
    await receiving.deliver(tells(job.remote_id, "succeeded", results=results))

    final = await scenes.ended(job)

    assert final.status == "succeeded"
    kept = await runtime.in_db(lambda: list(final.results.values_list("file__remote_id", "file__type")))
    assert kept == [("vg_file_0", "HOLOGRAM"), ("vg_file_1", "")]
    page = await scenes.page_of(ann_browser, final)
    assert "succeeded, 2 results" in page
    assert len((await scenes.row(job)).last_answer["results"]) == 4, "the answer is kept as it came"
    files = await runtime.in_db(lambda: list(final.results.values_list("file_id", flat=True)))
    for file_id in files:
        new = await ann_browser.aget(f"/files/{file_id}/preview")
        assert new.status_code == 503, "of a file that is new a 404 is not believed"
        await runtime.in_db(
            File.objects.filter(pk=file_id).update, created_at=timezone.now() - timedelta(minutes=2)
        )
        gone = await ann_browser.aget(f"/files/{file_id}/preview")
        assert gone.status_code == 404
        assert "VideoGen no longer has this file." in text(gone)


async def test_a_job_that_awaits_approval_is_shown_and_asked_after_slowly(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 21: awaiting_approval is shown in its own words, asked after ever more slowly, and ends right."""
    prompt = scenes.words()
    await scenes.order(account, {"kind": "job", "status": "awaiting_approval", "seconds": 1000})
    job = await scenes.started(prompt)

    async def awaits() -> bool:
        return (await scenes.look_after(job)).status == "awaiting_approval"

    await until(awaits)
    assert "awaiting approval" in await scenes.page_of(ann_browser, job)
    waits = []
    for age, _ in POLL_INTERVALS:
        await scenes.make_due(job, accepted_at=timezone.now() - timedelta(seconds=age + 1))
        waits.append(scenes.wait_of(await scenes.look_after(job)))
    assert [5 * math.ceil(wait / 5) for wait in waits] == [20, 20, 20, 180]
    # Somebody there says no.
    account.call("POST", f"/v1/tools/executions/{job.remote_id}/cancel")
    there = await scenes.true_end(account, prompt)
    await scenes.look_after(job)
    assert (await scenes.ended(job)).status == there["status"] == "cancelled"
