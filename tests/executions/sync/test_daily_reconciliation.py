"""The daily reconciliation: our jobs compared with the account's list, and each kind of difference."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from executions import policy
from executions.core import runtime
from executions.core.runtime import in_db
from executions.models import DailyReconciliation, Event, Execution, ExternalJob
from executions.models.daily_reconciliation import RETRY_AFTER
from executions.models.event import ActKind
from executions.statuses import TERMINAL
from executions.sync import daily_reconciliation, external_jobs
from executions.sync.daily_reconciliation import EDGE, MISSING, STATUS, UNKNOWN, UNSURE
from executions.videogen import ToolExecution
from tests import steps
from tests.conftest import SandboxProcess
from tests.factories import jobs
from tests.factories.past_jobs import past_job, write

DAY = date(2026, 5, 20)
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)


def ours(remote_id: str, at: datetime, status: str = "succeeded") -> None:
    """Our job that VideoGen accepted at that time."""
    ended = at if status in TERMINAL else None
    write(
        past_job(
            status=status, remote_id=remote_id, created_at=at, sent_at=at, accepted_at=at, ended_at=ended
        )
    )


def listed(*jobs_listed: str) -> list[ToolExecution]:
    """The account's list, newest first: "id" or "id:status"."""
    found = []
    for each in jobs_listed:
        remote_id, _, status = each.partition(":")
        wire = {"toolExecutionId": remote_id, "status": status or "succeeded", "toolType": "GENERATE_IMAGE"}
        found.append(ToolExecution.from_wire(wire))
    return found


def compare(*jobs_listed: str) -> tuple[int, int | None, list[tuple[str, str]]]:
    here, there, differences = daily_reconciliation.compare(DAY, listed(*jobs_listed))
    return here, there, [(each.kind, each.remote_id) for each in differences]


@pytest.fixture
def three(db: None) -> None:
    """One job of the day before, two of the day, one of the day after."""
    ours("before", NOON - timedelta(days=1))
    ours("one", NOON)
    ours("two", NOON + timedelta(hours=1))
    ours("after", NOON + timedelta(days=1))


def test_a_matching_day_has_no_differences(three: None) -> None:
    assert compare("after", "two", "one", "before") == (2, 2, [])


def test_each_kind_of_difference_is_reported(three: None) -> None:
    ours("gone", NOON + timedelta(minutes=30))
    ours("other", NOON + timedelta(minutes=40), status="failed")

    here, there, differences = compare("after", "two", "other:cancelled", "stranger:failed", "one", "before")

    assert (here, there) == (4, 4)
    assert differences == [(MISSING, "gone"), (STATUS, "other"), (UNKNOWN, "stranger")]
    assert all(daily_reconciliation.ADVICE[kind] for kind, _ in differences)


def test_an_unknown_job_between_two_days_may_belong_to_either(three: None) -> None:
    assert compare("after", "late", "two", "one", "early", "before") == (
        2,
        2,
        [(EDGE, "late"), (EDGE, "early")],
    )
    # It was seen in the list, or in a webhook, during the day: that narrows its start.
    ExternalJob.objects.create(
        remote_id="late",
        tool="generate-image",
        status="succeeded",
        started_after=NOON + timedelta(hours=1),
        started_before=NOON + timedelta(hours=2),
    )
    assert compare("after", "late", "two", "one", "before") == (2, 3, [(UNKNOWN, "late")])


def test_jobs_of_the_baseline_are_not_counted(three: None) -> None:
    ExternalJob.objects.create(
        remote_id="old", tool="generate-image", status="failed", started_before=NOON, is_past=True
    )

    assert compare("after", "two", "one", "old", "older") == (2, 2, [])


def test_an_unconfirmed_job_is_a_difference(three: None) -> None:
    job = jobs.sending()
    Execution.objects.filter(pk=job.pk).update(sent_at=NOON, status="unconfirmed")

    _, _, differences = daily_reconciliation.compare(DAY, listed("after", "two", "one", "before"))

    assert [(each.kind, each.job) for each in differences] == [(UNSURE, str(job.pk))]


def test_missed_days_of_a_week_are_due_and_none_is_reconciled_twice(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 5, 22, 0, 29, tzinfo=UTC)
    monkeypatch.setattr(daily_reconciliation.timezone, "now", lambda: now)
    assert daily_reconciliation.due_days() == [], "there has been no job"
    ours("one", NOON)
    assert daily_reconciliation.due_days() == [DAY], "the 21st has just ended"
    now += timedelta(minutes=1)
    assert daily_reconciliation.due_days() == [DAY, DAY + timedelta(days=1)]

    row = daily_reconciliation._claim(DAY)
    assert row is not None
    assert daily_reconciliation._claim(DAY) is None, "another worker has it"
    now += timedelta(minutes=31)
    assert daily_reconciliation._claim(DAY) is not None, "the other worker did not finish"
    DailyReconciliation.objects.filter(pk=row.pk).update(reconciled_at=now)
    assert daily_reconciliation.due_days() == [DAY + timedelta(days=1)]


# --- with the sandbox -------------------------------------------------------------------------------------


async def yesterdays(count: int) -> date:
    """Finished jobs, dated to noon of the last day that is over; the account's other jobs are imported first."""
    page = await runtime.client().list_executions()
    await in_db(external_jobs.record_baseline, page.items, at=timezone.now())
    day = (timezone.now() - daily_reconciliation.SETTLING_TIME - timedelta(days=1)).date()
    noon = datetime.combine(day, NOON.timetz())
    for number in range(count):
        job = await steps.accepted()
        at = noon + timedelta(minutes=number)
        await in_db(Execution.objects.filter(pk=job.pk).update, accepted_at=at, sent_at=at)
    return day


async def test_a_day_is_reconciled_and_stored(account: SandboxProcess, people: Any) -> None:
    day = await yesterdays(3)

    row = await daily_reconciliation.reconcile_day(day, actor=people.ada)

    assert (row.here, row.there, row.differences) == (3, 3, [])
    assert daily_reconciliation.summary(row) == "3 there, 3 here."
    kept = await in_db(lambda: Event.objects.get(kind=ActKind.DAY_RECONCILED))
    assert (kept.actor_id, kept.subject_id, kept.detail["here"]) == (people.ada.pk, str(row.pk), 3)

    again = await daily_reconciliation.reconcile_day(day, actor=policy.SYSTEM)
    assert again.pk == row.pk, "one row for a day"


async def test_an_unreported_final_status_is_applied(account: SandboxProcess) -> None:
    steps.add_fault(account, "job", "generate-image", seconds=0.1, count=None)
    day = await yesterdays(1)
    job = await in_db(Execution.objects.get)
    assert job.remote_id is not None
    await steps.sandbox_outcome(account, job.remote_id)

    row = await daily_reconciliation.reconcile_day(day, actor=policy.SYSTEM)

    assert row.agrees
    assert (await in_db(jobs.reload, job)).status == "succeeded"


async def test_without_a_list_only_our_count_is_reported(account: SandboxProcess) -> None:
    day = await yesterdays(2)
    steps.add_fault(account, "status", "GET /v1/tools/executions", status=404, count=None)

    row = await daily_reconciliation.reconcile_day(day, actor=policy.SYSTEM)

    assert (row.here, row.there, row.agrees) == (2, None, False)
    assert "no list" in daily_reconciliation.summary(row)


async def test_a_list_that_cannot_be_read_is_retried(account: SandboxProcess) -> None:
    day = await yesterdays(1)
    steps.add_fault(account, "status", "GET /v1/tools/executions", status=403, count=None)

    row = await daily_reconciliation.reconcile_day(day, actor=policy.SYSTEM)

    assert row.reconciled_at is None
    assert row.problem.startswith("The list could not be read")
    assert day in await in_db(daily_reconciliation.due_days)
    account.control("DELETE", "faults")
    await in_db(partial(DailyReconciliation.objects.update, began_at=timezone.now() - RETRY_AFTER))
    await daily_reconciliation.reconcile_due_days()
    assert (await in_db(DailyReconciliation.objects.get)).agrees


async def test_a_day_that_fails_does_not_block_the_next(
    account: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = await yesterdays(1)
    days = [last - timedelta(days=1), last]
    monkeypatch.setattr(daily_reconciliation, "due_days", lambda: days)
    finish = daily_reconciliation._finish

    def fails(pk: int, *more: Any) -> Any:
        if DailyReconciliation.objects.get(pk=pk).day == days[0]:
            raise ValueError("an unexpected response")
        return finish(pk, *more)

    monkeypatch.setattr(daily_reconciliation, "_finish", fails)
    await daily_reconciliation.reconcile_due_days()
    rows = await runtime.in_db(lambda: dict(DailyReconciliation.objects.values_list("day", "reconciled_at")))
    assert rows[days[0]] is None
    assert rows[days[1]] is not None


async def test_a_day_that_is_not_over_cannot_be_reconciled(transactional_db: None) -> None:
    with pytest.raises(daily_reconciliation.CannotReconcile, match="not over yet"):
        await daily_reconciliation.reconcile_day(timezone.now().date(), actor=policy.SYSTEM)
    assert await in_db(DailyReconciliation.objects.count) == 0
