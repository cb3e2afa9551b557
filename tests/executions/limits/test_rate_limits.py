"""VideoGen's hourly rate limits: stored from its responses for all processes, and respected before a start is sent."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from executions.core import runtime
from executions.core.runtime import in_db
from executions.lifecycle import leases
from executions.limits import api_health, poll_budget, rate_limits
from executions.limits.poll_budget import SharedBudget
from executions.models import CallBudget, Execution, RateWindow
from executions.sync import submit
from executions.sync.reconciler import Reconciler
from executions.videogen import Group, RateLimit
from executions.videogen.rate_limit_headers import rate_limit
from tests import steps
from tests.conftest import SandboxProcess
from tests.factories import jobs, planning
from tests.threads import run_together
from tests.waiting import until

STARTS = "POST /v1/tools/*"
HOUR = timedelta(hours=1)
LIMIT = 20


def reported(remaining: int, *, limit: int = 500, after: timedelta = HOUR) -> RateLimit:
    return RateLimit(limit, remaining, timezone.now() + after)


def store(*limits: RateLimit) -> rate_limits.LimitState:
    for each in limits:
        rate_limits.store(runtime.account_fingerprint(), {Group.TOOLS: each})
    return rate_limits.starts()


# --- recording --------------------------------------------------------------------------------------------


def test_responses_out_of_order_leave_the_lowest_count(db: None) -> None:
    assert store(reported(40), reported(38), reported(39)).remaining == 38
    assert store(reported(499, after=2 * HOUR)).remaining == 499, "a new hour"
    assert store(reported(12, after=HOUR)).remaining == 499, "a response from the previous hour"
    assert store(reported(90, limit=100, after=2 * HOUR)).limit == 100, "another plan"


def test_a_count_expires_with_its_hour(db: None) -> None:
    state = store(reported(0, after=timedelta(seconds=-1)))

    assert (state.remaining, state.reset_at, state.is_reported) == (500, None, True)
    assert state.opens_at(timezone.now()) is None


def test_each_key_has_its_own_limits(db: None) -> None:
    store(reported(0))
    runtime.use_account("another key", "http://127.0.0.1:1")

    assert rate_limits.starts().remaining is None


def test_the_reset_is_converted_to_our_clock() -> None:
    headers = {"X-RateLimit-Limit": "500", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "1779966000"}
    ahead = headers | {"Date": "Thu, 28 May 2026 10:00:12 GMT"}  # 1779962412: ten minutes ahead of us

    same, skewed = rate_limit(headers, 1779961812.0), rate_limit(ahead, 1779961812.0)

    assert same is not None
    assert skewed is not None
    assert same.reset_at is not None
    assert skewed.reset_at is not None
    assert same.reset_at - skewed.reset_at == timedelta(minutes=10)


async def test_a_reported_limit_is_stored_for_all_processes(account: SandboxProcess) -> None:
    account.control("POST", "faults", {"limits": {STARTS: {"limit": 30, "seconds": 3600}}})
    await submit.send((await steps.queued(steps.unique_prompt())).pk)

    state = await in_db(rate_limits.starts)

    assert (state.limit, state.remaining) == (30, 29)
    assert state.reset_at is not None
    groups = {each.group for each in await in_db(rate_limits.overview)}
    assert set(rate_limits.DOCUMENTED) <= groups


# --- effect on starts ---------------------------------------------------------------------------------------


def test_starts_that_would_be_rejected_wait_for_the_reset(people: Any) -> None:
    single = jobs.queued()
    batch = planning.jobs(planning.batch(people.ann, 2))
    state = store(reported(0))

    rate_limits.hold_starts(timezone.now())

    assert {jobs.reload(job).next_attempt_at for job in (single, *batch)} == {state.reset_at}


def test_the_last_tenth_of_an_hour_is_for_single_jobs(people: Any) -> None:
    single = jobs.queued()
    batch = planning.jobs(planning.batch(people.ann, 2))
    state = store(reported(50))

    rate_limits.hold_starts(timezone.now())

    assert {jobs.reload(job).next_attempt_at for job in batch} == {state.reset_at}
    assert jobs.reload(single).next_attempt_at < timezone.now()
    assert store(reported(51, after=3 * HOUR)).opens_at(timezone.now(), in_batch=True) is None


def test_starts_in_progress_count_before_their_responses_arrive(people: Any) -> None:
    batch = planning.batch(people.ann, 9)
    store(reported(53))
    assert rate_limits.hold_starts(timezone.now()) == 3

    taken = leases.claim_due(10)
    assert len(taken) == 3, "the last fifty starts of the hour are for single jobs"
    assert leases.claim_due(10) == []
    single = jobs.queued()
    assert leases.claim_due(10) == [single.pk], "single jobs are still started"

    for pk in taken[:2]:
        leases.release(pk)
    # Two of four are no longer in progress; with none in progress three would be left.
    assert len(leases.claim_due(10)) == 1
    store(reported(400, after=3 * HOUR))
    assert len(leases.claim_due(10)) == 10 - leases.RESERVED_SLOTS
    assert batch.executions.filter(leased_until=None).count() == 1


async def test_a_batch_leaves_the_reserve_to_single_jobs(account: SandboxProcess, people: Any) -> None:
    account.control("POST", "faults", {"limits": {STARTS: {"limit": LIMIT, "seconds": 3600}}})
    batch = await in_db(planning.batch, people.ann, LIMIT + 4)
    reconciler = Reconciler()
    with reconciler.listening():
        working = asyncio.create_task(reconciler.run())
        await until(lambda: in_db(lambda: _not_due(batch.executions)))
        single = await steps.queued(steps.unique_prompt())
        reconciler.wake()
        await until(lambda: in_db(lambda: jobs.reload(single).remote_id is not None))
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await reconciler.drain(10)

    rows = await in_db(lambda: list(batch.executions.values_list("sent_at", "attempts")))
    assert {attempts for _, attempts in rows} == {0}, "no start was sent and rejected"
    sent = sum(sent_at is not None for sent_at, _ in rows)
    assert sent == LIMIT - rate_limits.reserve(LIMIT)


def _sent(rows: Any) -> int:
    return int(rows.filter(sent_at__isnull=False).count())


def _not_due(rows: Any) -> bool:
    waiting = rows.filter(sent_at=None, leased_until=None)
    return not waiting.filter(next_attempt_at__lte=timezone.now()).exists()


async def test_a_start_that_would_be_rejected_is_not_sent(account: SandboxProcess) -> None:
    account.control("POST", "faults", {"limits": {STARTS: {"limit": 1, "seconds": 3600}}})
    await submit.send((await steps.queued(steps.unique_prompt())).pk)
    prompt = steps.unique_prompt()
    job = await steps.queued(prompt)

    await submit.send(job.pk)

    now = await steps.reload(job)
    state = await in_db(rate_limits.starts)
    assert (now.status, now.sent_at, now.attempts) == ("queued", None, 0)
    assert now.next_attempt_at == state.reset_at
    assert await steps.kinds(job) == ["started"]


# --- the budget -------------------------------------------------------------------------------------------


async def test_two_processes_share_one_budget(transactional_db: None) -> None:
    await in_db(lambda: None)
    one, other = SharedBudget(hourly=0, reserve=60), SharedBudget(hourly=0, reserve=60)

    spent = [await each.spend() for _ in range(50) for each in (one, other)]

    assert sum(spent) == 60
    assert await in_db(partial(poll_budget.calls_left, 0, 60)) == 0


@pytest.mark.django_db(transaction=True)
def test_concurrent_draws_never_exceed_the_bucket() -> None:
    drawn = run_together([partial(poll_budget.draw, 25, 0, 100)] * 8)

    assert sum(drawn) == 100


def test_the_bucket_refills_and_a_clock_set_back_stops_it_only_for_a_moment(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(poll_budget.timezone, "now", lambda: now)
    assert poll_budget.draw(500, 3600, 100) == 100
    now += timedelta(seconds=30)
    assert poll_budget.draw(500, 3600, 100) == 30
    now -= timedelta(hours=2)
    assert poll_budget.draw(500, 3600, 100) == 0
    now += timedelta(seconds=10)
    assert poll_budget.draw(500, 3600, 100) == 10
    assert CallBudget.objects.count() == 1


async def test_a_limit_that_could_not_be_stored_is_stored_with_the_next_response(
    account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every further response of that hour reports the same limit with nothing left."""
    await steps.reset_limits()
    limits = {Group.TOOLS: reported(0)}
    monkeypatch.setattr(type(runtime.client()), "limits", property(lambda _: limits))
    with monkeypatch.context() as broken, pytest.raises(OperationalError):
        broken.setattr(
            rate_limits, "store", lambda *_: (_ for _ in ()).throw(OperationalError("unreachable"))
        )
        await rate_limits.record()
    await rate_limits.record()
    assert (await runtime.in_db(rate_limits.starts)).remaining == 0


async def test_every_response_is_stored_once_few_starts_are_left_for_batches(
    account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    await steps.reset_limits()
    limits: dict[Group, RateLimit] = {}
    monkeypatch.setattr(type(runtime.client()), "limits", property(lambda _: limits))
    stored = []
    for remaining in (20, 19, 18):
        limits[Group.TOOLS] = reported(remaining, limit=20)
        await rate_limits.record()
        stored.append((await in_db(rate_limits.starts)).remaining)
    assert stored == [20, 19, 18]


async def test_the_limit_of_a_rejected_call_is_stored_too(account: SandboxProcess) -> None:
    account.control("POST", "faults", {"limits": {STARTS: {"limit": 0, "seconds": 3600}}})
    await submit.send((await steps.queued(steps.unique_prompt())).pk)

    assert (await in_db(rate_limits.starts)).remaining == 0
    assert await in_db(api_health.key_rejection) == ""
    assert await in_db(RateWindow.objects.count) >= 1
    assert await in_db(Execution.objects.filter(attempts=1).count) == 1
