"""Cancelling, and what crosses it: rows 22 to 25 of the list of faults."""

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
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import HTMX, Browser, text
from tests.faults import scenes
from tests.faults.receiving import Receiving
from tests.faults.relay import Relay
from tests.faults.scenes import ACCEPTED, CANCELS, POSTPONED, READS, SENT, STARTED, STARTS
from tests.waiting import until

WISHED = (Kind.CANCEL_REQUESTED, "pending", "pending", Source.PERSON)
NOTED = (Kind.CANCEL_NOTED, "pending", "pending", Source.RESPONSE)


def says_too_late(page: str) -> bool:
    return "too late" in page and "the result was kept" in page


async def owned(browser: Browser, prompt: str) -> Execution:
    """A job that this person started in the studio, sent or not."""
    await browser.apost("/tools/generate-image/", scenes.form(prompt))
    return await runtime.in_db(Execution.objects.get, prompt=prompt)


async def press_cancel(browser: Browser, job: Execution) -> int:
    return (await browser.apost(f"/executions/{job.pk}/cancel/")).status_code


async def hurried(job: Execution) -> None:
    """The cancel that the page asked for has been told, and answered."""

    async def was_noted() -> bool:
        return (await scenes.row(job)).cancel_noted_at is not None

    await until(was_noted)


async def test_a_success_that_crosses_a_noted_cancel_wins(
    relay: Relay, account: SandboxProcess, receiving: Receiving, ann_browser: Browser
) -> None:
    """Fault 22: VideoGen notes the cancel and finishes all the same: the result is kept, the page says so."""
    await receiving.register()
    prompt = scenes.words()
    held = {"kind": "webhook_hold"}
    await scenes.order(account, {"kind": "job", "seconds": 2.0, "ignore_cancel": True}, held)
    job = await owned(ann_browser, prompt)

    async def runs_there() -> bool:
        return (await scenes.truth(account, prompt))[0]["status"] == "running"

    await until(runs_there)
    # What the read after the cancel tells is kept back, so that the page can be looked at in between.
    relay.holding = READS
    assert await press_cancel(ann_browser, job) == 303
    await hurried(job)
    answer = await relay.next_held()
    page = await scenes.page_of(ann_browser, job)
    assert "Cancelling." in page
    assert "VideoGen is stopping it" in page

    await scenes.true_end(account, prompt)
    await scenes.control(account, "POST", "deliveries/release")
    final = await scenes.ended(job)
    answer.go.set()
    there = await scenes.true_end(account, prompt)
    assert there["cancelAskedAt"] is not None
    assert final.status == there["status"] == "succeeded"
    assert says_too_late(await scenes.page_of(ann_browser, job))
    assert await runtime.in_db(final.results.count) == 1
    kinds = [step[0] for step in await scenes.story(job)]
    assert kinds.count(Kind.CANCEL_REQUESTED) == kinds.count(Kind.CANCEL_NOTED) == 1


async def test_a_success_that_comes_while_the_cancel_is_under_way_wins(
    relay: Relay, account: SandboxProcess, receiving: Receiving, ann_browser: Browser
) -> None:
    """Fault 22: the success arrives between the cancel's request and its answer: the answer changes nothing."""
    await receiving.register()
    await scenes.order(account, {"kind": "job", "seconds": 2.0, "ignore_cancel": True})
    prompt = scenes.words()
    job = await owned(ann_browser, prompt)
    relay.holding = CANCELS

    await press_cancel(ann_browser, job)
    answer = await relay.next_held()
    final = await scenes.ended(job)
    story = await scenes.story(job)
    answer.go.set()

    async def was_answered() -> bool:
        return bool(relay.finished)

    await until(was_answered)
    assert (final.status, final.cancel_noted_at) == ("succeeded", None)
    assert await scenes.story(job) == story
    assert says_too_late(await scenes.page_of(ann_browser, job))
    assert (await scenes.true_end(account, prompt))["status"] == "succeeded"


@pytest.mark.parametrize(
    "fault",
    [
        *({"kind": "status", "status": status} for status in (400, 404, 409, 500)),
        {"kind": "lost_before"},
        {"kind": "lost_after"},
    ],
    ids=["400", "404", "409", "500", "lost before", "lost after"],
)
async def test_a_cancel_that_was_not_taken_is_asked_again_while_the_job_runs(
    account: SandboxProcess, ann_browser: Browser, fault: dict[str, Any]
) -> None:
    """Fault 23: after a failed cancel the job is read; while it runs, the cancel is asked again with backoff."""
    prompt = scenes.words()
    await scenes.order(account, {"kind": "job", "seconds": 1000}, {**fault, "match": CANCELS, "count": 3})
    counted = {"kind": "slow", "seconds": 0, "match": READS}
    job = await owned(ann_browser, prompt)
    reconciler = Reconciler()
    await scenes.order(account, counted)
    assert await runtime.in_db(cancel.request, job, actor=ann_browser.user) is True

    waits = []
    for asked in range(1, 4):
        job = await scenes.look_after(job, reconciler)
        assert await scenes.struck(account, "slow") == asked, "each failed cancel is followed by a read"
        if job.is_terminal:
            break
        assert job.cancel_noted_at is None
        waits.append(scenes.wait_of(job))

    if fault["kind"] == "lost_after":
        # It had been taken: the read that follows tells the end.
        assert waits == []
    else:
        assert scenes.backs_off(waits), waits
        assert len(waits) == 3

        async def is_over() -> bool:
            return (await scenes.look_after(job, reconciler)).is_terminal

        # The fourth is taken; the read that follows at once may still find it running.
        await until(is_over)
    final = await scenes.ended(job)
    assert final.status == (await scenes.true_end(account, prompt))["status"] == "cancelled"
    kinds = [step[0] for step in await scenes.story(job)]
    assert kinds.count(Kind.CANCEL_REQUESTED) == 1


async def test_a_refused_cancel_of_a_job_that_has_ended_shows_the_end(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 23: a 409 because the job is over: the read shows how it ended, and nobody asks again."""
    prompt = scenes.words()
    await scenes.order(account, {"kind": "status", "status": 409, "match": CANCELS})
    job = await owned(ann_browser, prompt)
    await scenes.true_end(account, prompt)

    await press_cancel(ann_browser, job)

    final = await scenes.ended(job)
    assert (final.status, final.next_attempt_at) == ("succeeded", None)
    assert await scenes.struck(account, "status") == 1
    assert says_too_late(await scenes.page_of(ann_browser, job))


async def test_a_cancel_while_the_job_is_being_sent_is_told_once_its_id_is_known(
    relay: Relay, worker: Reconciler, account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 24: the wish waits for the start's answer; then it is told at once, and the job ends cancelled."""
    prompt = scenes.words()
    await scenes.order(account, {"kind": "job", "seconds": 1000})
    relay.holding = STARTS
    posting = asyncio.create_task(
        scenes.in_thread(ann_browser.post, "/tools/generate-image/", scenes.form(prompt))
    )
    answer = await relay.next_held()
    job = await runtime.in_db(Execution.objects.get)

    assert await press_cancel(ann_browser, job) == 303
    waiting = await scenes.row(job)
    assert (waiting.status, waiting.remote_id) == ("queued", None)
    assert "cancelling" in await scenes.page_of(ann_browser, job)
    assert not any("/cancel" in request for request in relay.passed)
    relay.holding = ""
    answer.go.set()
    await posting

    final = await scenes.ended(job)
    assert final.status == (await scenes.true_end(account, prompt))["status"] == "cancelled"
    assert sum("/cancel" in request for request in relay.passed) == 1
    assert (await scenes.story(job))[:4] == [
        STARTED,
        SENT,
        (Kind.CANCEL_REQUESTED, "queued", "queued", Source.PERSON),
        ACCEPTED,
    ]


async def test_a_cancel_before_the_job_is_sent_ends_it_here(
    account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 24: a job that waits for the limit is cancelled at once, and VideoGen never hears of it."""
    prompt = scenes.words()
    await scenes.order(account, {"kind": "rate_limited", "match": STARTS, "count": 1})
    job = await owned(ann_browser, prompt)

    await press_cancel(ann_browser, job)
    await scenes.make_due(job)
    await submit.send(job.pk)

    assert (await scenes.ended(job)).status == "cancelled"
    assert await scenes.story(job) == [
        STARTED,
        SENT,
        POSTPONED,
        (Kind.STATUS, "queued", "cancelled", Source.PERSON),
    ]
    assert await scenes.truth(account, prompt) == []


async def test_a_cancel_while_a_refused_start_is_under_way_ends_it(
    relay: Relay, account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 24: the wish comes while a start is refused for now: nothing was started, so it is cancelled."""
    prompt = scenes.words()
    await scenes.order(account, {"kind": "rate_limited", "match": STARTS})
    relay.holding = STARTS
    posting = asyncio.create_task(
        scenes.in_thread(ann_browser.post, "/tools/generate-image/", scenes.form(prompt))
    )
    answer = await relay.next_held()
    job = await runtime.in_db(Execution.objects.get)
    await press_cancel(ann_browser, job)
    answer.go.set()
    await posting

    assert (await scenes.ended(job)).status == "cancelled"
    assert await scenes.truth(account, prompt) == []


async def test_two_people_cancel_at_once_and_it_is_told_once(
    relay: Relay, account: SandboxProcess, ann_browser: Browser, ada_browser: Browser
) -> None:
    """Fault 25: the owner and an admin cancel at once: one wish, one call to VideoGen, one end."""
    prompt = scenes.words()
    await scenes.order(account, {"kind": "job", "seconds": 1000})
    job = await owned(ann_browser, prompt)

    # VideoGen's answer is kept back until all have pressed.
    relay.holding = CANCELS

    def press(who: Browser) -> int:
        browser = Client()
        browser.cookies = who.client.cookies
        return browser.post(f"/executions/{job.pk}/cancel/").status_code

    pressed = await asyncio.gather(
        *(scenes.in_thread(press, who) for who in (ann_browser, ada_browser, ann_browser, ada_browser))
    )

    assert pressed == [303] * 4
    (await relay.next_held()).go.set()
    relay.holding = ""
    await hurried(job)
    reconciler = Reconciler()

    async def is_over() -> bool:
        return (await scenes.look_after(job, reconciler)).is_terminal

    await until(is_over)
    final = await scenes.ended(job)
    assert final.status == (await scenes.true_end(account, prompt))["status"] == "cancelled"
    assert sum("/cancel" in request for request in relay.passed) == 1
    kinds = [step[0] for step in await scenes.story(job)]
    assert kinds.count(Kind.CANCEL_REQUESTED) == 1
    assert final.cancel_requested_by_id in (ann_browser.user.pk, ada_browser.user.pk)


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
async def test_who_may_not_cancel_is_refused_and_nothing_happens(
    relay: Relay, account: SandboxProcess, ann_browser: Browser, ben_browser: Browser, headers: dict[str, str]
) -> None:
    """Fault 25: another member gets 403, an unknown job 404, nobody signed in the sign-in page; the job runs on."""
    job = await owned(ann_browser, scenes.words())
    story = await scenes.story(job)

    refused = await ben_browser.apost(f"/executions/{job.pk}/cancel/", headers=headers)
    unknown = await ben_browser.apost(f"/executions/{ben_browser.user.pk:032x}/cancel/", headers=headers)
    nobody = await ann_browser.async_client.__class__().post(f"/executions/{job.pk}/cancel/")

    assert refused.status_code == 403
    assert "Only the person who started a job, or an admin, may cancel it." in text(refused)
    assert unknown.status_code == 404
    assert nobody.status_code == 302
    assert nobody.url.startswith("/sign-in/")
    refusal = (Kind.CANCEL_REFUSED, "pending", "pending", Source.PERSON)
    assert await scenes.story(job) == [*story, refusal]
    assert (await scenes.row(job)).cancel_requested_at is None
    assert not any("/cancel" in request for request in relay.passed)
