"""Webhooks that do not come, come too often, or in the wrong order: rows 11 to 14 of the list of faults."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from executions.core import runtime
from executions.models import Execution
from executions.models.event import Source
from executions.sync import reconciler
from executions.sync.reconciler import Reconciler
from tests.conftest import SandboxProcess
from tests.dashboard.browsers import Browser
from tests.executions.videogen.misbehaving_service import Behaviour, Service, answers
from tests.faults import scenes
from tests.faults.receiving import Receiving, outcomes, tells
from tests.faults.relay import Relay
from tests.faults.scenes import ACCEPTED, READS, SENT, STARTED
from tests.waiting import until

TOOK_END = "tool_execution.*"


async def test_the_poll_finds_an_end_whose_webhook_never_comes(
    worker: Reconciler, receiving: Receiving, account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 11: the webhook never comes: the poll finds the end within its interval, once."""
    # Nothing but the time of the job's next look may end the reconciler's rest.
    monkeypatch.setattr(reconciler, "MAX_REST", 600.0)
    monkeypatch.setattr(worker, "max_rest", 600.0)
    await receiving.register()
    await scenes.order(account, {"kind": "webhook_drop"}, {"kind": "job", "seconds": 1.5})
    prompt = scenes.words()
    job = await scenes.queued(prompt)
    worker.wake()

    there = await until(lambda: ended_there(account, prompt))
    # A job this young is asked after each second or two; the rest of the bound is for a slow machine.
    final = await scenes.ended(job)

    assert final.status == there["status"] == "succeeded"
    steps = await scenes.story(job)
    assert steps[:3] == [STARTED, SENT, ACCEPTED]
    assert steps[-1][2:] == ("succeeded", Source.POLL)
    assert await outcomes(there["toolExecutionId"]) == []


async def ended_there(sandbox: SandboxProcess, prompt: str) -> dict[str, Any] | None:
    found = await scenes.truth(sandbox, prompt)
    return found[0] if found and found[0]["endedAt"] else None


async def test_a_webhook_that_comes_ten_times_at_once_counts_once(
    receiving: Receiving, account: SandboxProcess
) -> None:
    """Fault 12: the same message ten times in parallel: one change, one event, all answered 2xx."""
    await receiving.register()
    await scenes.order(account, {"kind": "webhook_double", "copies": 10, "match": TOOK_END})
    job = await scenes.started(scenes.words())

    final = await scenes.ended(job)

    async def all_were_sent() -> bool:
        return len(await receiving.attempts(final.remote_id)) == 10

    await until(all_were_sent)
    assert await receiving.attempts(final.remote_id) == [200] * 10
    assert await outcomes(final.remote_id) == ["applied"]
    assert await scenes.story(job) == [
        STARTED,
        SENT,
        ACCEPTED,
        ("status", "pending", "succeeded", Source.WEBHOOK),
    ]
    # Two messages of different endpoints about the same end are two deliveries, and still one change.
    both = await asyncio.gather(*(receiving.deliver(tells(final.remote_id, "succeeded")) for _ in range(2)))
    assert [answer.status_code for answer in both] == [200, 200]
    assert await outcomes(final.remote_id) == ["applied", "too late", "too late"]
    assert len(await scenes.story(job)) == 4


async def test_webhooks_in_reverse_order_lead_to_the_same_ends(
    receiving: Receiving, account: SandboxProcess
) -> None:
    """Fault 13: all messages of four jobs arrive last first: each job ends as it did there, once."""
    await receiving.register()
    await scenes.order(account, {"kind": "webhook_hold"}, {"kind": "job", "seconds": 0.2})
    prompts = [f"{scenes.words()} [fail:content_policy]", *(scenes.words() for _ in range(3))]
    started = [await scenes.started(prompt) for prompt in prompts]
    ends = [await scenes.true_end(account, prompt) for prompt in prompts]

    released = await scenes.control(account, "POST", "deliveries/release?backwards=true")

    assert released["released"] >= 4
    finals = [await scenes.ended(job) for job in started]
    assert [job.status for job in finals] == [end["status"] for end in ends]
    assert sorted(job.status for job in finals) == ["failed", "succeeded", "succeeded", "succeeded"]
    for job, end in zip(finals, ends, strict=True):
        assert await outcomes(end["toolExecutionId"]) == ["applied"]
        assert (await scenes.story(job))[3][2:] == (job.status, Source.WEBHOOK)
        stored = await runtime.in_db(lambda job=job: list(job.results.values_list("file__remote_id")))
        assert stored == [(result["fileId"],) for result in end["results"]]


async def test_what_comes_after_an_end_changes_nothing(
    receiving: Receiving, account: SandboxProcess, ann_browser: Browser
) -> None:
    """Fault 13: a late `failed`, `cancelled` or second `succeeded` is taken in and changes nothing."""
    await receiving.register()
    final = await scenes.ended(await scenes.started(scenes.words()))
    before = await runtime.in_db(Execution.objects.filter(pk=final.pk).values().get)
    story = await scenes.story(final)

    for status in ("failed", "cancelled", "succeeded"):
        late = tells(final.remote_id, status, error={"message": "too late"})
        assert (await receiving.deliver(late)).json() == {"outcome": "too late"}
    await scenes.look_after(final)

    after = await runtime.in_db(Execution.objects.filter(pk=final.pk).values().get)
    assert {**after, "next_attempt_at": None, "leased_until": None} == before
    assert await scenes.story(final) == story
    assert "too late" not in await scenes.page_of(ann_browser, final)


async def test_a_poll_answer_older_than_the_webhook_is_ignored(
    relay: Relay, receiving: Receiving, account: SandboxProcess
) -> None:
    """Fault 14: an answer "running" that arrives after the webhook's end changes nothing."""
    await receiving.register()
    prompt = scenes.words()
    await scenes.order(account, {"kind": "job", "seconds": 2.0})
    job = await scenes.started(prompt)
    relay.holding = READS

    asking = asyncio.create_task(scenes.look_after(job))
    answer = await relay.next_held()
    final = await scenes.ended(job)
    story = await scenes.story(job)
    answer.go.set()
    await asking

    assert final.status == "succeeded"
    assert (await scenes.row(job)).version == final.version
    assert await scenes.story(job) == story
    assert story[-1][2:] == ("succeeded", Source.WEBHOOK)


def says(status: str, **fields: Any) -> Behaviour:
    """An answer to "how is it?"."""
    return answers(200, {"toolExecutionId": "vg_exec_1", "status": status, **fields})


async def test_progress_and_attempts_never_go_back(service: Service) -> None:
    """Fault 14: progress that falls within one attempt, an older attempt and `pending` again are ignored."""
    service.will(answers(202, {"toolExecutionId": "vg_exec_1"}))
    job = await scenes.started(scenes.words())
    told = (
        ("running", 0, 60.0, ("running", 0, 60.0)),
        ("running", 0, 40.0, ("running", 0, 60.0)),
        ("pending", 0, None, ("running", 0, 60.0)),
        ("running", 0, None, ("running", 0, 60.0)),
        # VideoGen's own second attempt begins anew ...
        ("running", 1, 5.0, ("running", 1, 5.0)),
        # ... and an answer about the first one is old.
        ("running", 0, 95.0, ("running", 1, 5.0)),
        ("running", 1, 30.0, ("running", 1, 30.0)),
    )
    for status, attempt, progress, shown in told:
        service.will(says(status, attemptIndex=attempt, progressPercentage=progress))
        seen = await scenes.look_after(job)
        assert (seen.status, seen.attempt, seen.progress) == shown

    assert [step[:3] for step in await scenes.story(job)] == [
        ("started", "", "queued"),
        ("sent", "queued", "queued"),
        ("status", "queued", "pending"),
        ("status", "pending", "running"),
        ("attempt", "running", "running"),
    ]
