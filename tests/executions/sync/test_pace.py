"""Leases, poll intervals and budget: which worker processes a job, and how often it may be polled."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.utils import timezone

from executions.core import backoff
from executions.lifecycle import leases
from executions.limits.poll_budget import HOURLY_BUDGET, Budget
from executions.models import Execution
from executions.sync import reconciler
from executions.sync.reconciler import poll_interval
from tests.factories import jobs
from tests.threads import run_together

# --- intervals, budget, backoff -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "seconds"), [(0, 1), (9.9, 1), (10, 2), (30, 5), (299, 5), (300, 20), (3600, 180), (90_000, 180)]
)
def test_an_older_job_is_polled_less_often(age: float, seconds: float) -> None:
    assert poll_interval(age, in_flight=1) == timedelta(seconds=seconds)


@pytest.mark.parametrize("in_flight", [1, 10, 100, 1000, 10_000])
def test_any_number_of_jobs_is_polled_within_the_hourly_budget(in_flight: int) -> None:
    for age in (60, 600, 7200):
        calls_an_hour = in_flight * 3600 / poll_interval(age, in_flight).total_seconds()
        assert calls_an_hour <= max(HOURLY_BUDGET, in_flight * 3600 / 5) + 1e-6
        assert in_flight < 10 or calls_an_hour <= HOURLY_BUDGET + 1e-6


def test_the_budget_grants_its_reserve_and_then_the_hourly_rate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(reconciler.time, "monotonic", lambda: clock[0])
    budget = Budget(hourly=3600, reserve=5)

    assert [budget.spend_available() for _ in range(7)] == [True] * 5 + [False] * 2
    clock[0] += 2
    assert [budget.spend_available() for _ in range(3)] == [True, True, False]
    clock[0] += 3600
    assert sum(budget.spend_available() for _ in range(100)) == 5


def test_backoff_doubles_to_five_minutes() -> None:
    for failures in range(60):
        due = min(300.0, 2.0 * 2**failures)
        assert 0.8 * due <= backoff.delay(failures).total_seconds() <= 1.2 * due


# --- leases -------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_job_is_claimed_by_one_of_many_workers() -> None:
    job = jobs.queued()

    assert sorted(run_together([partial(leases.claim, job.pk)] * 6)) == [False] * 5 + [True]


@pytest.mark.django_db(transaction=True)
def test_concurrent_workers_claim_each_job_once() -> None:
    due = {jobs.queued().pk for _ in range(20)}

    claims = run_together([partial(leases.claim_due, 5)] * 4)
    while more := leases.claim_due(5):
        claims.append(more)

    claimed = [pk for claim in claims for pk in claim]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == due
    assert all(len(claim) <= 5 for claim in claims)


def test_the_job_due_longest_is_claimed_first(db: None) -> None:
    now = timezone.now()
    order = [3, 1, 2, 0]
    rows = {minutes: jobs.queued().pk for minutes in order}
    for minutes, pk in rows.items():
        Execution.objects.filter(pk=pk).update(next_attempt_at=now - timedelta(minutes=minutes))

    assert set(leases.claim_due(2)) == {rows[3], rows[2]}


def test_a_dead_workers_lease_expires_and_a_live_ones_does_not(db: None) -> None:
    job = jobs.queued()
    assert leases.claim(job.pk)
    assert not leases.claim(job.pk)

    lease = jobs.reload(job).leased_until
    assert lease is not None
    assert lease - timezone.now() > timedelta(seconds=leases.CALL_LIMIT)
    Execution.objects.filter(pk=job.pk).update(leased_until=timezone.now())
    assert leases.claim(job.pk)


def test_a_released_job_is_free_when_it_is_due(db: None) -> None:
    job = jobs.queued()
    leases.claim(job.pk)

    leases.release(job.pk, timezone.now() + timedelta(hours=1))
    assert not leases.claim(job.pk)
    leases.release(job.pk, timezone.now())
    assert leases.claim(job.pk)
    assert leases.release_all() == 1
    assert leases.claim(job.pk)


def test_the_rest_ends_when_the_first_unclaimed_job_is_due(db: None) -> None:
    assert reconciler.seconds_until_due() == reconciler.MAX_SLEEP
    now = timezone.now()
    for seconds, lease in ((3, None), (1, 4), (60, None)):
        until = lease and now + timedelta(seconds=lease)
        due = now + timedelta(seconds=seconds)
        Execution.objects.filter(pk=jobs.queued().pk).update(next_attempt_at=due, leased_until=until)

    assert 2 < reconciler.seconds_until_due() <= 3
