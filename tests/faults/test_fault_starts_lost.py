"""Starts whose connection or answer fails: rows 6, 7, 8 and 10 of the list of faults."""

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
from executions.limits import api_health as standing
from executions.models import Execution
from executions.models.event import Source
from executions.sync import submit
from executions.sync.list_poller import ListPoller
from executions.sync.reconciler import Reconciler, poll_interval
from executions.videogen import client as client_module
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser
from tests.executions import service
from tests.executions.videogen.misbehaving_service import (
    Behaviour,
    Service,
    answers,
    cut_after_headers,
    cut_in_body,
    drips,
    floods,
    hangs_up,
    never_answers,
)
from tests.faults import scenes
from tests.faults.receiving import Receiving, outcomes, tells
from tests.faults.relay import Relay
from tests.faults.scenes import ACCEPTED, POSTPONED, SENT, STARTED, STARTS, UNCONFIRMED
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
async def test_a_job_waits_while_videogen_cannot_be_reached(
    account: SandboxProcess, ann_browser: Browser, monkeypatch: Any, trouble: str
) -> None:
    """Fault 6: connection refused, no such name, TLS failure: queued, tried again with backoff, sent once."""
    monkeypatch.setenv("NO_PROXY", "*")
    prompt = scenes.words()
    runtime.use_account(account.api_key, unreachable(account)[trouble])

    job = await scenes.started(prompt)
    waits = [scenes.wait_of(job)]
    for _ in range(3):
        job = await scenes.look_after(job)
        waits.append(scenes.wait_of(job))
    await runtime.close_client()

    assert (job.status, job.sent_at, job.attempts) == ("queued", None, 4)
    assert scenes.backs_off(waits), waits
    assert "VideoGen cannot be reached; next try" in await scenes.page_of(ann_browser, job)
    assert await scenes.truth(account, prompt) == []

    runtime.use_account(account.api_key, account.url)
    await scenes.look_after(job)
    assert await scenes.story(job) == [STARTED, *[SENT, POSTPONED] * 4, SENT, ACCEPTED]
    assert len(await scenes.truth(account, prompt)) == 1


async def never_sent_again(job: Execution) -> Execution:
    """Push the job in every way that the machine has; nothing may come of it."""
    before, story = await scenes.row(job), await scenes.story(job)
    assert (before.status, before.next_attempt_at, before.leased_until) == ("unconfirmed", None, None)
    reconciler = Reconciler()
    for _ in range(3):
        await scenes.look_after(job, reconciler)
    await scenes.make_due(job)
    await submit.send(job.pk)
    await runtime.in_db(leases.release_all)
    assert await scenes.story(job) == story == [STARTED, SENT, UNCONFIRMED]
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
async def test_a_start_without_an_answer_is_never_sent_again_by_itself(
    account: SandboxProcess, ann_browser: Browser, fault: dict[str, Any], accepted: int
) -> None:
    """Fault 7: cut after the request's bytes, or a 5xx: `unconfirmed`, and only a person starts it again."""
    prompt = scenes.words()
    await scenes.order(account, {**fault, "match": STARTS, "count": 1})
    await ann_browser.apost("/tools/generate-image/", scenes.form(prompt))
    job = await runtime.in_db(Execution.objects.get)

    await never_sent_again(job)

    assert len(await scenes.truth(account, prompt)) == accepted
    page = " ".join((await scenes.page_of(ann_browser, job)).split())
    assert "answer was lost on the way" in page
    assert "it is not sent again by itself" in page
    # The person's own decision, pressed twice, is one new job.
    for _ in range(2):
        answer = await ann_browser.apost(f"/executions/{job.pk}/again/")
        assert answer.status_code == 303

    async def was_sent() -> bool:
        return len(await scenes.truth(account, prompt)) == accepted + 1

    await until(was_sent)
    assert await runtime.in_db(Execution.objects.count) == 2
    assert (await scenes.row(job)).status == "unconfirmed"


@pytest.mark.parametrize(
    "behaviour",
    [never_answers, drips, hangs_up, cut_after_headers, cut_in_body],
    ids=lambda made: made.__name__,
)
async def test_a_start_whose_answer_does_not_come_in_time_is_unconfirmed(
    service: Service, monkeypatch: Any, behaviour: Callable[[], Behaviour]
) -> None:
    """Fault 7: a read timeout, an answer that never ends or that is cut: one request, then `unconfirmed`."""
    quick = partial(client_module.Timeouts, read=0.3, total=2)
    monkeypatch.setattr(client_module, "Timeouts", quick)
    service.will(behaviour())

    job = await scenes.started(scenes.words())

    await never_sent_again(job)
    assert [asked.method for asked in service.asked] == ["POST"]


@pytest.mark.parametrize("shape", ["no_id", "truncated", "html", "empty", "huge"])
async def test_a_yes_that_cannot_be_read_is_unconfirmed(account: SandboxProcess, shape: str) -> None:
    """Fault 8: 202 without an id, with malformed JSON, HTML, nothing, 20 MB: one start, `unconfirmed`."""
    prompt = scenes.words()
    await scenes.order(account, {"kind": "malformed", "shape": shape, "match": STARTS})

    job = await scenes.started(prompt)

    await never_sent_again(job)
    assert await scenes.struck(account, "malformed") == 1
    assert len(await scenes.truth(account, prompt)) == 1


@pytest.mark.parametrize("declared", [True, False], ids=["length told", "in chunks"])
async def test_an_answer_of_20_megabytes_takes_little_memory(service: Service, declared: bool) -> None:
    """Fault 8: the answer is given up at 8 MiB, whatever it claims."""
    service.will(floods(20 * MIB, declared=declared))
    job = await scenes.queued(scenes.words())

    tracemalloc.start()
    try:
        await submit.send(job.pk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 14 * MIB
    assert len(service.asked) == 1
    await never_sent_again(job)


@pytest.mark.parametrize("body", [b"<h1>No</h1>", b"", b'{"message": ', b"[]"], ids=repr)
async def test_a_no_that_cannot_be_read_is_a_refusal_all_the_same(service: Service, body: bytes) -> None:
    """Fault 8: a 400 whose body is not VideoGen's error started nothing: failed, with words of ours."""
    service.will(answers(400, body))

    job = await scenes.started(scenes.words())

    assert (job.status, job.error["status"], job.error["code"]) == ("failed", 400, None)
    assert job.error["message"]
    assert len(service.asked) == 1


async def test_a_start_in_doubt_is_never_taken_for_another(account: SandboxProcess) -> None:
    """Fault 9: of two starts that a crash left in doubt, one did arrive: it is not linked to the other."""
    poller = ListPoller(service.plenty, poll_interval)
    await scenes.started(scenes.words())
    await poller.run()  # what is there from now on is looked at
    await scenes.order(account, {"kind": "lost_before", "match": STARTS, "count": 1})
    lost = await scenes.started(scenes.words())
    prompt = scenes.words()
    crashed = await scenes.queued(prompt)
    await runtime.in_db(submit._begin, crashed.pk)
    await runtime.client().start_tool("generate-image", crashed.request_body)
    await scenes.started(scenes.words())

    await poller.run()
    assert (await scenes.row(lost)).status == "unconfirmed"
    # The reconciler finds the crashed one, and now there is a choice of two: the person decides.
    assert (await scenes.look_after(crashed)).status == "unconfirmed"
    await poller.run()
    for job in (lost, crashed):
        assert (await scenes.row(job)).status == "unconfirmed"
    assert len(await scenes.truth(account, prompt)) == 1


async def test_a_webhook_that_is_faster_than_the_start_answer_counts_once(
    relay: Relay, receiving: Receiving, account: SandboxProcess
) -> None:
    """Fault 10: the webhook arrives before the start's answer: the job ends right, once."""
    await receiving.register()
    prompt = scenes.words()
    relay.holding = STARTS
    job = await scenes.queued(prompt)

    sending = asyncio.create_task(submit.send(job.pk))
    answer = await relay.next_held()
    there = await scenes.true_end(account, prompt)
    remote_id = there["toolExecutionId"]

    async def has_come() -> list[str]:
        return await outcomes(remote_id)

    assert await until(has_come) == ["unknown job"]
    assert (await scenes.row(job)).status == "queued"
    answer.go.set()
    await sending

    final = await scenes.ended(job)
    assert (final.status, final.remote_id) == ("succeeded", remote_id)
    assert await scenes.story(job) == [
        STARTED,
        SENT,
        ACCEPTED,
        ("status", "pending", "succeeded", Source.WEBHOOK),
    ]
    assert await outcomes(remote_id) == ["applied"]
    assert await receiving.attempts(remote_id) == [200]
    # The same message once more finds nothing to do.
    assert (await receiving.deliver(tells(remote_id, "failed"))).json() == {"outcome": "too late"}
    assert len(await scenes.truth(account, prompt)) == 1
    assert await runtime.in_db(standing.key_refused) == ""
