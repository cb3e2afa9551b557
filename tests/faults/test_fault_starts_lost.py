"""Starts whose connection or response fails: rows 6 to 10 of docs/reliability.md."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from executions.core import runtime
from executions.lifecycle import leases
from executions.limits import api_health
from executions.models import Execution
from executions.models.event import Source
from executions.sync import submit
from executions.sync.list_poller import ListPoller
from executions.sync.reconciler import Reconciler, poll_interval
from executions.videogen import client as client_module
from tests import steps
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser
from tests.executions.videogen.misbehaving_service import (
    Behavior,
    Service,
    cut_after_headers,
    cut_in_body,
    drips,
    floods,
    hangs_up,
    never_responds,
    responds,
)
from tests.factories import deliveries
from tests.faults.relay import Relay
from tests.faults.webhook_receiver import WebhookReceiver, delivery_outcomes
from tests.steps import ACCEPTED, POSTPONED, SENT, STARTED, STARTS, UNCONFIRMED
from tests.waiting import until

MIB = 1024 * 1024


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def unreachable(sandbox: SandboxProcess) -> dict[str, str]:
    plain_port = sandbox.url.rpartition(":")[2]
    return {
        "refused": f"http://127.0.0.1:{closed_port()}",
        "name": "http://no-such-host.invalid",
        "TLS": f"https://127.0.0.1:{plain_port}",
    }


@pytest.mark.parametrize("trouble", ["refused", "name", "TLS"])
async def test_a_job_stays_queued_while_videogen_is_unreachable(
    account: SandboxProcess, ann_browser: Browser, monkeypatch: Any, trouble: str
) -> None:
    """Fault 6: connection refused, unknown host, TLS failure: queued, retried with backoff, sent once."""
    monkeypatch.setenv("NO_PROXY", "*")
    prompt = steps.unique_prompt()
    runtime.use_account(account.api_key, unreachable(account)[trouble])

    job = await steps.started(prompt)
    waits = [steps.seconds_until_due(job)]
    for _ in range(3):
        job = await steps.poll(job)
        waits.append(steps.seconds_until_due(job))
    await runtime.close_client()

    assert (job.status, job.sent_at, job.attempts) == ("queued", None, 4)
    assert steps.backs_off(waits), waits
    assert "VideoGen cannot be reached; next attempt" in await steps.page_of(ann_browser, job)
    assert await steps.sandbox_jobs(account, prompt) == []

    runtime.use_account(account.api_key, account.url)
    await steps.poll(job)
    assert await steps.events_of(job) == [STARTED, *[SENT, POSTPONED] * 4, SENT, ACCEPTED]
    assert len(await steps.sandbox_jobs(account, prompt)) == 1


async def assert_never_sent_again(job: Execution) -> Execution:
    """Try everything that could send the job again; it must stay unconfirmed. Returns the job."""
    before, events = await steps.reload(job), await steps.events_of(job)
    assert (before.status, before.next_attempt_at, before.leased_until) == ("unconfirmed", None, None)
    reconciler = Reconciler()
    for _ in range(3):
        await steps.poll(job, reconciler)
    await steps.make_due(job)
    await submit.send(job.pk)
    await runtime.in_db(leases.release_all)
    assert await steps.events_of(job) == events == [STARTED, SENT, UNCONFIRMED]
    return before


@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        ({"kind": "lost_before"}, 0),
        ({"kind": "lost_after"}, 1),
        *(({"kind": "status", "status": status, "accepted": True}, 1) for status in (502, 503, 504)),
        ({"kind": "status", "status": 502, "body": "<h1>Bad Gateway</h1>", "accepted": False}, 0),
    ],
    ids=["cut before", "cut after", "502", "503", "504", "502 page"],
)
async def test_a_start_without_a_response_is_never_repeated_automatically(
    account: SandboxProcess, ann_browser: Browser, fault: dict[str, Any], accepted: int
) -> None:
    """Fault 7: cut after the request was sent, or a 5xx: `unconfirmed`, and only a person can start it again."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {**fault, "match": STARTS, "count": 1})
    await ann_browser.apost("/tools/generate-image/", steps.form(prompt))
    job = await runtime.in_db(Execution.objects.get)

    await assert_never_sent_again(job)

    assert len(await steps.sandbox_jobs(account, prompt)) == accepted
    page = " ".join((await steps.page_of(ann_browser, job)).split())
    assert "response was lost" in page
    assert "it is not sent again automatically" in page
    # Starting it again by hand, even with a double click, creates one new job.
    for _ in range(2):
        answer = await ann_browser.apost(f"/executions/{job.pk}/again/")
        assert answer.status_code == 303

    async def was_sent() -> bool:
        return len(await steps.sandbox_jobs(account, prompt)) == accepted + 1

    await until(was_sent)
    assert await runtime.in_db(Execution.objects.count) == 2
    assert (await steps.reload(job)).status == "unconfirmed"


@pytest.mark.parametrize(
    "behavior",
    [never_responds, drips, hangs_up, cut_after_headers, cut_in_body],
    ids=lambda behavior: behavior.__name__,
)
async def test_a_start_whose_response_times_out_is_unconfirmed(
    service: Service, monkeypatch: Any, behavior: Callable[[], Behavior]
) -> None:
    """Fault 7: a read time-out, or a response that never ends or is cut: one request, then `unconfirmed`."""
    short = partial(client_module.Timeouts, read=0.3, total=2)
    monkeypatch.setattr(client_module, "Timeouts", short)
    service.respond_with(behavior())

    job = await steps.started(steps.unique_prompt())

    await assert_never_sent_again(job)
    assert [request.method for request in service.requests] == ["POST"]


@pytest.mark.parametrize("shape", ["no_id", "truncated", "html", "empty", "huge"])
async def test_an_unreadable_202_is_unconfirmed(account: SandboxProcess, shape: str) -> None:
    """Fault 8: a 202 without an id, with malformed JSON, HTML, an empty body, 20 MB: one start, `unconfirmed`."""
    prompt = steps.unique_prompt()
    await steps.add_faults(account, {"kind": "malformed", "shape": shape, "match": STARTS})

    job = await steps.started(prompt)

    await assert_never_sent_again(job)
    assert await steps.times_triggered(account, "malformed") == 1
    assert len(await steps.sandbox_jobs(account, prompt)) == 1


@pytest.mark.parametrize("declared", [True, False], ids=["with length", "chunked"])
async def test_a_response_of_20_megabytes_takes_little_memory(service: Service, declared: bool) -> None:
    """Fault 8: reading stops at 8 MiB, whatever length the response declares."""
    service.respond_with(floods(20 * MIB, declared=declared))
    job = await steps.queued(steps.unique_prompt())

    tracemalloc.start()
    try:
        await submit.send(job.pk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 14 * MIB
    assert len(service.requests) == 1
    await assert_never_sent_again(job)


@pytest.mark.parametrize("body", [b"<h1>No</h1>", b"", b'{"message": ', b"[]"], ids=repr)
async def test_an_unreadable_400_is_a_refusal(service: Service, body: bytes) -> None:
    """Fault 8: a 400 without VideoGen's error started nothing: failed, with a message from Rushes."""
    service.respond_with(responds(400, body))

    job = await steps.started(steps.unique_prompt())

    assert (job.status, job.error["status"], job.error["code"]) == ("failed", 400, None)
    assert job.error["message"]
    assert len(service.requests) == 1


async def test_two_unconfirmed_starts_are_never_confused(account: SandboxProcess) -> None:
    """Fault 9: of two starts that a crash left unconfirmed, one did arrive: it is not linked to the other."""
    poller = ListPoller(steps.unlimited, poll_interval)
    await steps.started(steps.unique_prompt())
    await poller.run()  # external jobs are considered from now on
    await steps.add_faults(account, {"kind": "lost_before", "match": STARTS, "count": 1})
    lost = await steps.started(steps.unique_prompt())
    prompt = steps.unique_prompt()
    crashed = await steps.queued(prompt)
    await runtime.in_db(submit._prepare, crashed.pk)
    await runtime.client().start_tool("generate-image", crashed.request_body)
    await steps.started(steps.unique_prompt())

    await poller.run()
    assert (await steps.reload(lost)).status == "unconfirmed"
    # The reconciler finds the crashed one; now two jobs may own the execution, so a person must decide.
    assert (await steps.poll(crashed)).status == "unconfirmed"
    await poller.run()
    for job in (lost, crashed):
        assert (await steps.reload(job)).status == "unconfirmed"
    assert len(await steps.sandbox_jobs(account, prompt)) == 1


async def test_a_webhook_before_the_response_to_the_start_is_applied_once(
    relay: Relay, webhook_receiver: WebhookReceiver, account: SandboxProcess
) -> None:
    """Fault 10: the webhook arrives before the response to the start: the job gets its outcome, once."""
    await webhook_receiver.register()
    prompt = steps.unique_prompt()
    relay.hold_pattern = STARTS
    job = await steps.queued(prompt)

    sending = asyncio.create_task(submit.send(job.pk))
    answer = await relay.next_held()
    there = await steps.sandbox_outcome(account, prompt)
    remote_id = there["toolExecutionId"]

    async def has_arrived() -> list[str]:
        return await delivery_outcomes(remote_id)

    assert await until(has_arrived) == ["unknown job"]
    assert (await steps.reload(job)).status == "queued"
    answer.release.set()
    await sending

    final = await steps.wait_until_final(job)
    assert (final.status, final.remote_id) == ("succeeded", remote_id)
    assert await steps.events_of(job) == [
        STARTED,
        SENT,
        ACCEPTED,
        ("status", "pending", "succeeded", Source.WEBHOOK),
    ]
    assert await delivery_outcomes(remote_id) == ["applied"]
    assert await webhook_receiver.attempts(remote_id) == [200]
    # A later message about the same job changes nothing.
    assert (await webhook_receiver.deliver(deliveries.outcome(remote_id, "failed"))).json() == {
        "outcome": "too late"
    }
    assert len(await steps.sandbox_jobs(account, prompt)) == 1
    assert await runtime.in_db(api_health.key_rejection) == ""
