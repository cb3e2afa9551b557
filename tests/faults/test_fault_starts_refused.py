"""Starts that VideoGen refuses, or that a person sends twice: rows 1 to 5 of docs/reliability.md."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.test import Client

from executions.core.runtime import in_db
from executions.limits import api_health
from executions.models import Execution
from executions.sync import reconciler, submit
from executions.sync.reconciler import Reconciler
from tests import steps
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import HTMX, Browser, text
from tests.steps import ACCEPTED, POSTPONED, SENT, STARTED, STARTS
from tests.waiting import until

FAILED_TO_START = ("status", "queued", "failed", "answer")


async def only_job() -> Execution:
    return await in_db(Execution.objects.get)


async def test_a_form_sent_again_starts_only_one_job(account: SandboxProcess, ann_browser: Browser) -> None:
    """Fault 1: a double click, a resent form and the back button start one job."""
    prompt = steps.unique_prompt()
    form = steps.form(prompt, (await ann_browser.aget("/")).content.decode())

    def click() -> int:
        browser = Client()
        browser.cookies = ann_browser.client.cookies
        return browser.post("/tools/generate-image/", form).status_code

    clicks = await asyncio.gather(*(steps.in_thread(click) for _ in range(4)))
    resent = await ann_browser.apost("/tools/generate-image/", form, headers=HTMX)

    assert clicks == [303] * 4
    assert "Already started; not started again." in text(resent)
    job = await only_job()
    assert await steps.events_of(job) == [STARTED, SENT, ACCEPTED]
    assert len(await steps.sandbox_jobs(account, prompt)) == 1

    # The same prompt in a new form is another job, because the person asked for it.
    await ann_browser.apost(
        "/tools/generate-image/", steps.form(prompt, (await ann_browser.aget("/")).content.decode())
    )
    assert len(await steps.sandbox_jobs(account, prompt)) == 2


@pytest.mark.parametrize("headers", [{}, HTMX], ids=["plain", "htmx"])
async def test_a_refusal_is_shown_at_the_form(
    account: SandboxProcess, ann_browser: Browser, headers: dict[str, str]
) -> None:
    """Fault 2: a 400 is shown at the form with its input, and the job is recorded as failed to start."""
    prompt = steps.unique_prompt()
    refusal = {"message": "prompt must not name <brands>.", "code": "invalid_parameters"}
    await steps.add_faults(
        account, {"kind": "status", "status": 400, "body": refusal, "match": STARTS, "count": 1}
    )

    form = steps.form(prompt, (await ann_browser.aget("/")).content.decode())
    answer = await ann_browser.apost("/tools/generate-image/", form, headers=headers)

    assert answer.status_code == 422
    assert "VideoGen rejected this job. prompt must not name <brands>." in text(answer)
    assert "invalid_parameters" in text(answer)
    assert prompt in answer.content.decode()
    job = await only_job()
    assert (job.status, job.remote_id, job.error["code"]) == ("failed", None, "invalid_parameters")
    assert await steps.events_of(job) == [STARTED, SENT, FAILED_TO_START]
    await steps.poll(job)
    assert await steps.sandbox_jobs(account, prompt) == []

    # The returned form has a new key: submitting it starts a new job, and only that one is billed.
    again = await ann_browser.apost("/tools/generate-image/", steps.form(prompt, answer.content.decode()))
    assert again.status_code == 303
    assert len(await steps.sandbox_jobs(account, prompt)) == 1


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ({"kind": "unauthorized"}, "The key is wrong or was revoked. An admin must replace it."),
        ({"kind": "forbidden", "requirement": "upgrade_plan"}, "This needs another plan: business."),
        (
            {"kind": "forbidden", "requirement": "purchase_add_on"},
            "This needs an add-on: production api.",
        ),
    ],
    ids=["401", "403 plan", "403 add-on"],
)
async def test_a_401_or_403_is_explained_and_nothing_is_sent_again(
    account: SandboxProcess, ann_browser: Browser, caplog: Any, fault: dict[str, Any], advice: str
) -> None:
    """Fault 3: after a 401 or 403 nothing is sent again, and the person reads what to do."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {**fault, "match": STARTS})

    answer = await ann_browser.apost("/tools/generate-image/", steps.form(prompt))

    assert answer.status_code == 422
    assert advice in text(answer)
    assert prompt in answer.content.decode()
    job = await only_job()
    await steps.poll(job)
    assert await steps.times_triggered(account, fault["kind"]) == 1
    assert await steps.events_of(job) == [STARTED, SENT, FAILED_TO_START]
    assert await steps.sandbox_jobs(account, prompt) == []

    if fault["kind"] == "unauthorized":
        # Operators see it in the log, in /readyz, and as a notice on every page until a call succeeds.
        assert any(
            record.levelname == "ERROR" and "rejected the API key" in record.message
            for record in caplog.records
        )
        assert (await ann_browser.aget("/readyz")).json()["videogen_key"] == "refused"
        assert "VideoGen rejects the API key" in text(await ann_browser.aget("/"))
        await steps.clear_faults(account)
        await steps.started(steps.unique_prompt())
        assert await in_db(api_health.key_rejection) == ""


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [
        ({"hint": "retry_after", "seconds": 7}, 7),
        ({"hint": "reset", "seconds": 7}, 8),
        ({"hint": "none"}, 60),
        ({"hint": "reset", "seconds": 3600}, 3601),
    ],
    ids=["Retry-After", "X-RateLimit-Reset", "neither", "an hour away"],
)
async def test_a_rate_limited_job_is_sent_after_the_reported_time(
    account: SandboxProcess, ann_browser: Browser, fault: dict[str, Any], seconds: float
) -> None:
    """Fault 4: after a 429 the job stays queued until the time that VideoGen reported, and starts once."""
    prompt = steps.unique_prompt()
    await steps.add_faults(
        account, {"kind": "rate_limited", "match": "POST /v1/tools/generate-image", "count": 1, **fault}
    )

    answer = await ann_browser.apost("/tools/generate-image/", steps.form(prompt))

    assert answer.status_code == 303
    job = await only_job()
    assert (job.status, job.sent_at, job.leased_until) == ("queued", None, None)
    assert max(0, seconds - 20) < steps.seconds_until_due(job) <= seconds
    page = await steps.page_of(ann_browser, job)
    assert "The hourly limit is used up; next attempt" in page
    # Before that time no worker sends it; then it is sent once.
    await Reconciler().process_now(job.pk)
    assert await steps.sandbox_jobs(account, prompt) == []
    await steps.reset_limits()
    await steps.poll(job)
    assert await steps.events_of(job) == [STARTED, SENT, POSTPONED, SENT, ACCEPTED]
    assert len(await steps.sandbox_jobs(account, prompt)) == 1


async def test_rate_limited_jobs_do_not_delay_other_jobs(worker: Reconciler, account: SandboxProcess) -> None:
    """Fault 4: jobs that wait for the rate limit do not delay those that are allowed."""
    limits = {"POST /v1/tools/*": {"limit": 0, "seconds": 3600}}
    await steps.add_faults(account, limits=limits)
    waiting = [await steps.queued(steps.unique_prompt()) for _ in range(15)]
    worker.wake()

    async def all_are_postponed() -> bool:
        rows = [await steps.reload(job) for job in waiting]
        return all(job.sent_at is None and steps.seconds_until_due(job) > 3500 for job in rows)

    await until(all_are_postponed)
    attempts = [(await steps.reload(job)).attempts for job in waiting]
    assert 1 <= sum(attempts) <= reconciler.MAX_CONCURRENT, (
        "a start that would certainly be refused is not sent"
    )

    await steps.reset_limits()
    await steps.add_faults(account, limits={"POST /v1/tools/*": {"limit": 500}})
    allowed = await steps.queued(steps.unique_prompt())
    worker.wake()

    assert (await steps.wait_until_final(allowed)).status == "succeeded"
    queued = [await steps.reload(job) for job in waiting]
    assert [(job.status, job.attempts) for job in queued] == [("queued", times) for times in attempts]


async def test_a_start_without_credits_is_not_retried(account: SandboxProcess, ann_browser: Browser) -> None:
    """Fault 5: a 429 that means "no credits" gets a message and is not retried."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "rate_limited", "code": "insufficient_credits", "match": STARTS})

    answer = await ann_browser.apost("/tools/generate-image/", steps.form(prompt))

    assert answer.status_code == 422
    assert "The account has no credits left. Nothing was started" in text(answer)
    job = await only_job()
    assert (job.status, job.next_attempt_at) == ("failed", None)
    await steps.make_due(job)
    await submit.send(job.pk)
    assert await steps.times_triggered(account, "rate_limited") == 1
    assert await steps.events_of(job) == [STARTED, SENT, FAILED_TO_START]
    assert await steps.sandbox_jobs(account, prompt) == []
