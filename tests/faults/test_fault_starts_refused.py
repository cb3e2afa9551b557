"""Starts that VideoGen refuses, or that a person sends twice: rows 1 to 5 of the list of faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import Client

from executions.core.runtime import in_db
from executions.limits import api_health as standing
from executions.models import Execution
from executions.sync import reconciler, submit
from executions.sync.reconciler import Reconciler
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import HTMX, Browser, text
from tests.executions import service
from tests.faults import scenes
from tests.faults.scenes import ACCEPTED, POSTPONED, SENT, STARTED, STARTS
from tests.waiting import until

FAILED_TO_START = ("status", "queued", "failed", "answer")


async def only_job() -> Execution:
    return await in_db(Execution.objects.get)


async def test_the_same_form_sent_again_starts_one_job(account: SandboxProcess, ann_browser: Browser) -> None:
    """Fault 1: a double click, a resent form and the back button start one job."""
    prompt = scenes.words()
    form = scenes.form(prompt, (await ann_browser.aget("/")).content.decode())

    def click() -> int:
        browser = Client()
        browser.cookies = ann_browser.client.cookies
        return browser.post("/tools/generate-image/", form).status_code

    clicks = await asyncio.gather(*(scenes.in_thread(click) for _ in range(4)))
    resent = await ann_browser.apost("/tools/generate-image/", form, headers=HTMX)

    assert clicks == [303] * 4
    assert "This was started before, and not again." in text(resent)
    job = await only_job()
    assert await scenes.story(job) == [STARTED, SENT, ACCEPTED]
    assert len(await scenes.truth(account, prompt)) == 1

    # The same words in a form of its own are another job, since that is what the person asked for.
    await ann_browser.apost(
        "/tools/generate-image/", scenes.form(prompt, (await ann_browser.aget("/")).content.decode())
    )
    assert len(await scenes.truth(account, prompt)) == 2


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
async def test_a_refusal_is_said_at_the_form(
    account: SandboxProcess, ann_browser: Browser, headers: dict[str, str]
) -> None:
    """Fault 2: a 400 is shown at the form with what was typed, and the job is recorded as failed to start."""
    prompt = scenes.words()
    refusal = {"message": "prompt must not name <brands>.", "code": "invalid_parameters"}
    await scenes.order(
        account, {"kind": "status", "status": 400, "body": refusal, "match": STARTS, "count": 1}
    )

    form = scenes.form(prompt, (await ann_browser.aget("/")).content.decode())
    answer = await ann_browser.apost("/tools/generate-image/", form, headers=headers)

    assert answer.status_code == 422
    assert "VideoGen refused this. prompt must not name <brands>." in text(answer)
    assert "invalid_parameters" in text(answer)
    assert prompt in answer.content.decode()
    job = await only_job()
    assert (job.status, job.remote_id, job.error["code"]) == ("failed", None, "invalid_parameters")
    assert await scenes.story(job) == [STARTED, SENT, FAILED_TO_START]
    await scenes.look_after(job)
    assert await scenes.truth(account, prompt) == []

    # The form that came back has a key of its own: started again, it is a new job, and only that one is billed.
    again = await ann_browser.apost("/tools/generate-image/", scenes.form(prompt, answer.content.decode()))
    assert again.status_code == 303
    assert len(await scenes.truth(account, prompt)) == 1


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ({"kind": "unauthorized"}, "The key is wrong or was revoked. An admin has to put it right."),
        ({"kind": "forbidden", "requirement": "upgrade_plan"}, "This needs another plan: business."),
        (
            {"kind": "forbidden", "requirement": "purchase_add_on"},
            "This needs an add-on: production api.",
        ),
    ],
    ids=["401", "403 plan", "403 add-on"],
)
async def test_a_key_or_plan_that_does_not_suffice_is_said_and_nothing_is_sent_again(
    account: SandboxProcess, ann_browser: Browser, caplog: Any, fault: dict[str, Any], advice: str
) -> None:
    """Fault 3: after a 401 or 403 nothing is sent again, and the person reads what to do."""
    prompt = scenes.words()
    await scenes.order(account, {**fault, "match": STARTS})

    answer = await ann_browser.apost("/tools/generate-image/", scenes.form(prompt))

    assert answer.status_code == 422
    assert advice in text(answer)
    assert prompt in answer.content.decode()
    job = await only_job()
    await scenes.look_after(job)
    assert await scenes.struck(account, fault["kind"]) == 1
    assert await scenes.story(job) == [STARTED, SENT, FAILED_TO_START]
    assert await scenes.truth(account, prompt) == []

    if fault["kind"] == "unauthorized":
        # Operators: the log, the readiness page, and a notice on every page until a call is answered well.
        assert any(
            record.levelname == "ERROR" and "refuses the API key" in record.message
            for record in caplog.records
        )
        assert (await ann_browser.aget("/readyz")).json()["videogen_key"] == "refused"
        assert "VideoGen rejects the API key" in text(await ann_browser.aget("/"))
        await scenes.well_again(account)
        await scenes.started(scenes.words())
        assert await in_db(standing.key_refused) == ""


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ({"hint": "retry_after", "seconds": 7}, 7),
        ({"hint": "reset", "seconds": 7}, 8),
        ({"hint": "none"}, 60),
        ({"hint": "reset", "seconds": 3600}, 3601),
    ],
    ids=["Retry-After", "X-RateLimit-Reset", "neither", "an hour away"],
)
async def test_a_job_over_the_limit_waits_for_its_time(
    account: SandboxProcess, ann_browser: Browser, told: dict[str, Any], seconds: float
) -> None:
    """Fault 4: after a 429 the job stays queued until the time that VideoGen told, and starts once."""
    prompt = scenes.words()
    await scenes.order(
        account, {"kind": "rate_limited", "match": "POST /v1/tools/generate-image", "count": 1, **told}
    )

    answer = await ann_browser.apost("/tools/generate-image/", scenes.form(prompt))

    assert answer.status_code == 303
    job = await only_job()
    assert (job.status, job.sent_at, job.leased_until) == ("queued", None, None)
    assert max(0, seconds - 20) < scenes.wait_of(job) <= seconds
    page = await scenes.page_of(ann_browser, job)
    assert "The hourly limit is used up; next try" in page
    # Before its time nobody takes it; then it is sent, once.
    await Reconciler().process_now(job.pk)
    assert await scenes.truth(account, prompt) == []
    await service.new_hour()
    await scenes.look_after(job)
    assert await scenes.story(job) == [STARTED, SENT, POSTPONED, SENT, ACCEPTED]
    assert len(await scenes.truth(account, prompt)) == 1


async def test_jobs_over_the_limit_hold_up_no_worker(worker: Reconciler, account: SandboxProcess) -> None:
    """Fault 4: while many jobs wait for the limit, those that are allowed flow."""
    limits = {"POST /v1/tools/*": {"limit": 0, "seconds": 3600}}
    await scenes.order(account, limits=limits)
    waiting = [await scenes.queued(scenes.words()) for _ in range(15)]
    worker.wake()

    async def all_were_told_to_wait() -> bool:
        rows = [await scenes.row(job) for job in waiting]
        return all(job.sent_at is None and scenes.wait_of(job) > 3500 for job in rows)

    await until(all_were_told_to_wait)
    tried = [(await scenes.row(job)).attempts for job in waiting]
    assert 1 <= sum(tried) <= reconciler.MAX_CONCURRENT, "what would certainly be refused is not sent"

    await service.new_hour()
    await scenes.order(account, limits={"POST /v1/tools/*": {"limit": 500}})
    allowed = await scenes.queued(scenes.words())
    worker.wake()

    assert (await scenes.ended(allowed)).status == "succeeded"
    still = [await scenes.row(job) for job in waiting]
    assert [(job.status, job.attempts) for job in still] == [("queued", times) for times in tried]


async def test_without_credits_nothing_is_tried_again(account: SandboxProcess, ann_browser: Browser) -> None:
    """Fault 5: a 429 that means "no credits" is said in words and not retried."""
    prompt = scenes.words()
    await scenes.order(account, {"kind": "rate_limited", "code": "insufficient_credits", "match": STARTS})

    answer = await ann_browser.apost("/tools/generate-image/", scenes.form(prompt))

    assert answer.status_code == 422
    assert "The account has no credits left. Nothing was started" in text(answer)
    job = await only_job()
    assert (job.status, job.next_attempt_at) == ("failed", None)
    await scenes.make_due(job)
    await submit.send(job.pk)
    assert await scenes.struck(account, "rate_limited") == 1
    assert await scenes.story(job) == [STARTED, SENT, FAILED_TO_START]
    assert await scenes.truth(account, prompt) == []
