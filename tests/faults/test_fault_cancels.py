"""Cancel requests, and outcomes that cross them: rows 22 to 25 of docs/reliability.md."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import Client

from executions.core import runtime
from executions.lifecycle import cancel
from executions.models import Execution
from executions.models.event import Kind, Source
from executions.sync import submit
from executions.sync.reconciler import Reconciler
from tests import steps
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import HTMX, Browser, text
from tests.faults.relay import Relay
from tests.faults.webhook_receiver import WebhookReceiver
from tests.steps import ACCEPTED, CANCELS, POSTPONED, READS, SENT, STARTED, STARTS
from tests.waiting import until

REQUESTED = (Kind.CANCEL_REQUESTED, "pending", "pending", Source.PERSON)
NOTED = (Kind.CANCEL_NOTED, "pending", "pending", Source.RESPONSE)


def says_too_late(page: str) -> bool:
    return "too late" in page and "the result is available" in page


async def start_in_studio(browser: Browser, prompt: str) -> Execution:
    """A job that this person starts in the studio, sent or not."""
    await browser.apost("/tools/generate-image/", steps.form(prompt))
    return await runtime.in_db(Execution.objects.get, prompt=prompt)


async def press_cancel(browser: Browser, job: Execution) -> int:
    return (await browser.apost(f"/executions/{job.pk}/cancel/")).status_code


async def wait_until_cancel_accepted(job: Execution) -> None:
    """Wait until VideoGen has accepted the cancel request."""

    async def is_accepted() -> bool:
        return (await steps.reload(job)).cancel_accepted_at is not None

    await until(is_accepted)


async def test_a_success_after_an_accepted_cancel_request_wins(
    relay: Relay, account: SandboxProcess, webhook_receiver: WebhookReceiver, ann_browser: Browser
) -> None:
    """Fault 22: VideoGen accepts the cancel request but the job succeeds: the result is stored, the page says so."""
    await webhook_receiver.register()
    prompt = steps.unique_prompt()
    held = {"kind": "webhook_hold"}
    await steps.add_faults(account, {"kind": "job", "seconds": 2.0, "ignore_cancel": True}, held)
    job = await start_in_studio(ann_browser, prompt)

    async def is_running() -> bool:
        return (await steps.sandbox_jobs(account, prompt))[0]["status"] == "running"

    await until(is_running)
    # Hold back the poll that follows the cancel request, so that the page can be read in between.
    relay.hold_pattern = READS
    assert await press_cancel(ann_browser, job) == 303
    await wait_until_cancel_accepted(job)
    answer = await relay.next_held()
    page = await steps.page_of(ann_browser, job)
    assert "Cancelling, requested by" in page
    assert "VideoGen is stopping it" in page

    await steps.sandbox_outcome(account, prompt)
    await steps.control(account, "POST", "deliveries/release")
    final = await steps.wait_until_final(job)
    answer.release.set()
    there = await steps.sandbox_outcome(account, prompt)
    assert there["cancelRequestedAt"] is not None
    assert final.status == there["status"] == "succeeded"
    assert says_too_late(await steps.page_of(ann_browser, job))
    assert await runtime.in_db(final.results.count) == 1
    kinds = [step[0] for step in await steps.events_of(job)]
    assert kinds.count(Kind.CANCEL_REQUESTED) == kinds.count(Kind.CANCEL_NOTED) == 1


async def test_a_success_during_the_cancel_request_wins(
    relay: Relay, account: SandboxProcess, webhook_receiver: WebhookReceiver, ann_browser: Browser
) -> None:
    """Fault 22: the success arrives between the cancel request and its response: the response changes nothing."""
    await webhook_receiver.register()
    await steps.add_faults(account, {"kind": "job", "seconds": 2.0, "ignore_cancel": True})
    prompt = steps.unique_prompt()
    job = await start_in_studio(ann_browser, prompt)
    relay.hold_pattern = CANCELS

    await press_cancel(ann_browser, job)
    answer = await relay.next_held()
    final = await steps.wait_until_final(job)
    events = await steps.events_of(job)
    answer.release.set()

    async def was_answered() -> bool:
        return bool(relay.finished)

    await until(was_answered)
    assert (final.status, final.cancel_accepted_at) == ("succeeded", None)
    assert await steps.events_of(job) == events
    assert says_too_late(await steps.page_of(ann_browser, job))
    assert (await steps.sandbox_outcome(account, prompt))["status"] == "succeeded"


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "status", "status": status} for status in (400, 404, 409, 500)),
        {"kind": "lost_before"},
        {"kind": "lost_after"},
    ],
    ids=["400", "404", "409", "500", "lost before", "lost after"],
)
async def test_a_failed_cancel_request_is_repeated_while_the_job_runs(
    account: SandboxProcess, ann_browser: Browser, fault: dict[str, Any]
) -> None:
    """Fault 23: after a failed cancel request the job is polled; while it runs, the request is repeated with backoff."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "job", "seconds": 1000}, {**fault, "match": CANCELS, "count": 3})
    counted = {"kind": "slow", "seconds": 0, "match": READS}
    job = await start_in_studio(ann_browser, prompt)
    reconciler = Reconciler()
    await steps.add_faults(account, counted)
    assert await runtime.in_db(cancel.request, job, actor=ann_browser.user) is True

    waits = []
    for attempt in range(1, 4):
        job = await steps.poll(job, reconciler)
        assert await steps.times_triggered(account, "slow") == attempt, (
            "each failed cancel request is followed by a poll"
        )
        if job.is_terminal:
            break
        assert job.cancel_accepted_at is None
        waits.append(steps.seconds_until_due(job))

    if fault["kind"] == "lost_after":
        # VideoGen had accepted it: the poll that follows returns the outcome.
        assert waits == []
    else:
        assert steps.backs_off(waits), waits
        assert len(waits) == 3

        async def is_final() -> bool:
            return (await steps.poll(job, reconciler)).is_terminal

        # The fourth request is accepted; the poll right after it may still return running.
        await until(is_final)
    final = await steps.wait_until_final(job)
    assert final.status == (await steps.sandbox_outcome(account, prompt))["status"] == "cancelled"
    kinds = [step[0] for step in await steps.events_of(job)]
    assert kinds.count(Kind.CANCEL_REQUESTED) == 1


async def test_a_cancel_request_for_a_finished_job_finds_its_outcome(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 23: a 409 because the job has finished: the poll returns the outcome, and the request is not repeated."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "status", "status": 409, "match": CANCELS})
    job = await start_in_studio(ann_browser, prompt)
    await steps.sandbox_outcome(account, prompt)

    await press_cancel(ann_browser, job)

    final = await steps.wait_until_final(job)
    assert (final.status, final.next_attempt_at) == ("succeeded", None)
    assert await steps.times_triggered(account, "status") == 1
    assert says_too_late(await steps.page_of(ann_browser, job))


async def test_a_cancel_request_during_the_start_is_sent_once_the_id_is_known(
    relay: Relay, worker: Reconciler, account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 24: the cancel request waits for the response to the start, is then sent at once, and the job is cancelled."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "job", "seconds": 1000})
    relay.hold_pattern = STARTS
    posting = asyncio.create_task(
        steps.in_thread(ann_browser.post, "/tools/generate-image/", steps.form(prompt))
    )
    answer = await relay.next_held()
    job = await runtime.in_db(Execution.objects.get)

    assert await press_cancel(ann_browser, job) == 303
    waiting = await steps.reload(job)
    assert (waiting.status, waiting.remote_id) == ("queued", None)
    assert "cancelling" in await steps.page_of(ann_browser, job)
    assert not any("/cancel" in request for request in relay.requests)
    relay.hold_pattern = ""
    answer.release.set()
    await posting

    final = await steps.wait_until_final(job)
    assert final.status == (await steps.sandbox_outcome(account, prompt))["status"] == "cancelled"
    assert sum("/cancel" in request for request in relay.requests) == 1
    assert (await steps.events_of(job))[:4] == [
        STARTED,
        SENT,
        (Kind.CANCEL_REQUESTED, "queued", "queued", Source.PERSON),
        ACCEPTED,
    ]


async def test_a_queued_job_is_cancelled_without_being_sent(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 24: a job that waits for the rate limit is cancelled at once, and never sent to VideoGen."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "rate_limited", "match": STARTS, "count": 1})
    job = await start_in_studio(ann_browser, prompt)

    await press_cancel(ann_browser, job)
    await steps.make_due(job)
    await submit.send(job.pk)

    assert (await steps.wait_until_final(job)).status == "cancelled"
    assert await steps.events_of(job) == [
        STARTED,
        SENT,
        POSTPONED,
        (Kind.STATUS, "queued", "cancelled", Source.PERSON),
    ]
    assert await steps.sandbox_jobs(account, prompt) == []


async def test_a_cancel_request_during_a_rate_limited_start_cancels_the_job(
    relay: Relay, account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 24: a cancel request during a start that is rate-limited: nothing was started, so the job is cancelled."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "rate_limited", "match": STARTS})
    relay.hold_pattern = STARTS
    posting = asyncio.create_task(
        steps.in_thread(ann_browser.post, "/tools/generate-image/", steps.form(prompt))
    )
    answer = await relay.next_held()
    job = await runtime.in_db(Execution.objects.get)
    await press_cancel(ann_browser, job)
    answer.release.set()
    await posting

    assert (await steps.wait_until_final(job)).status == "cancelled"
    assert await steps.sandbox_jobs(account, prompt) == []


async def test_two_people_who_cancel_at_once_send_one_cancel_request(
    relay: Relay, account: SandboxProcess, ann_browser: Browser, ada_browser: Browser
) -> None:
    """Fault 25: the owner and an admin cancel at once: one cancel request, one call to VideoGen, one outcome."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "job", "seconds": 1000})
    job = await start_in_studio(ann_browser, prompt)

    # Hold back VideoGen's response until all have pressed.
    relay.hold_pattern = CANCELS

    def press(who: Browser) -> int:
        browser = Client()
        browser.cookies = who.client.cookies
        return browser.post(f"/executions/{job.pk}/cancel/").status_code

    pressed = await asyncio.gather(
        *(steps.in_thread(press, who) for who in (ann_browser, ada_browser, ann_browser, ada_browser))
    )

    assert pressed == [303] * 4
    (await relay.next_held()).release.set()
    relay.hold_pattern = ""
    await wait_until_cancel_accepted(job)
    reconciler = Reconciler()

    async def is_final() -> bool:
        return (await steps.poll(job, reconciler)).is_terminal

    await until(is_final)
    final = await steps.wait_until_final(job)
    assert final.status == (await steps.sandbox_outcome(account, prompt))["status"] == "cancelled"
    assert sum("/cancel" in request for request in relay.requests) == 1
    kinds = [step[0] for step in await steps.events_of(job)]
    assert kinds.count(Kind.CANCEL_REQUESTED) == 1
    assert final.cancel_requested_by_id in (ann_browser.user.pk, ada_browser.user.pk)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
async def test_a_cancel_request_without_permission_has_no_effect(
    relay: Relay, account: SandboxProcess, ann_browser: Browser, ben_browser: Browser, headers: dict[str, str]
) -> None:
    """Fault 25: another member gets 403, an unknown job 404, an anonymous request the sign-in page; the job continues."""
    job = await start_in_studio(ann_browser, steps.unique_prompt())
    events = await steps.events_of(job)

    refused = await ben_browser.apost(f"/executions/{job.pk}/cancel/", headers=headers)
    unknown = await ben_browser.apost(f"/executions/{ben_browser.user.pk:032x}/cancel/", headers=headers)
    anonymous = await ann_browser.async_client.__class__().post(f"/executions/{job.pk}/cancel/")

    assert refused.status_code == 403
    assert "Only the person who started a job, or an admin, may cancel it." in text(refused)
    assert unknown.status_code == 404
    assert anonymous.status_code == 302
    assert anonymous.url.startswith("/sign-in/")
    refusal = (Kind.CANCEL_REFUSED, "pending", "pending", Source.PERSON)
    assert await steps.events_of(job) == [*events, refusal]
    assert (await steps.reload(job)).cancel_requested_at is None
    assert not any("/cancel" in request for request in relay.requests)
