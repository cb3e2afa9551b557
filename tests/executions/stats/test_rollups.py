"""The counts behind Insights: each event is counted once, despite crashes, concurrent workers and late commits."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from executions.audit import retention, sealing, triggers
from executions.core import runtime
from executions.models import Event, Execution, Rollup, WebhookDelivery
from executions.models.event import Kind, Source
from executions.models.rollup import Period
from executions.models.webhook_delivery import Outcome
from executions.stats import histogram, rollup
from executions.stats import verify as verify_rollup
from executions.workers import maintenance
from tests.factories.jobs import job
from tests.factories.people import People

pytestmark = pytest.mark.django_db
COMMIT_GRACE = rollup.COMMIT_GRACE


@pytest.fixture(autouse=True)
def _no_commit_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL, ids of other tests' rolled back transactions leave gaps that nothing will fill."""
    monkeypatch.setattr(rollup, "COMMIT_GRACE", timedelta(0))


def counted(measure: str, period: str = "d", tool: str = "", person: int = 0) -> Counter[str]:
    rows = Rollup.objects.filter(measure=measure, period=period, tool=tool, person=person)
    return Counter({row.value: row.count for row in rows})


def all_counts() -> dict[Any, int]:
    rows = Rollup.objects.values_list("period", "start", "tool", "person", "measure", "value", "count")
    return {tuple(key): count for *key, count in rows}


def make_jobs(people: People) -> None:
    for status in ("succeeded", "succeeded", "failed", "cancelled before", "running", "queued"):
        job(people.ann, status, error={"message": "No.", "code": "moderated"} if status == "failed" else None)
    job(people.ben, "succeeded", tool="text-to-speech")
    job(None, "succeeded")


def test_events_are_counted_by_measure_tool_and_person(people: People) -> None:
    make_jobs(people)
    assert rollup.advance()
    assert counted("started") == {"": 8}
    assert counted("ended") == {"succeeded": 4, "failed": 1, "cancelled": 1}
    assert counted("ended", person=people.ann.pk) == {"succeeded": 2, "failed": 1, "cancelled": 1}
    assert counted("ended", tool="text-to-speech") == {"succeeded": 1}
    assert counted("ended", tool="text-to-speech", person=people.ben.pk) == {"succeeded": 1}
    assert counted("ended", tool="text-to-speech", person=people.ann.pk) == {}
    assert counted("started", person=-1) == {"": 1}
    assert counted("failed") == {"moderated": 1}
    assert counted("heard")["poll"] >= 5
    assert sum(counted("running").values()) == 5
    assert sum(counted("hour").values()) == 8
    assert ("m", timezone.now().date().replace(day=1), "", 0, "started", "") in all_counts(), sorted(
        all_counts()
    )[-8:]


def test_a_failure_without_a_code_counts_by_its_internal_code(people: People) -> None:
    for error in (
        {"message": "x", "internal_error_code": "gpu_lost"},
        {"message": "x"},
        {"message": "x", "code": "a" * 99},
    ):
        job(people.ann, "failed", error=error)
    rollup.advance()
    assert counted("failed") == {"gpu_lost": 1, "": 1, "a" * 64: 1}


def test_a_job_counts_on_the_day_and_hour_of_its_start(people: People) -> None:
    long_ago = datetime(2024, 2, 29, 23, 59, 59, 900_000, tzinfo=UTC)  # a Thursday
    execution = job(people.ann, "running")
    Execution.objects.filter(pk=execution.pk).update(
        created_at=long_ago,
        accepted_at=long_ago + timedelta(seconds=1),
        running_at=long_ago + timedelta(seconds=3),
    )
    rollup.advance()
    assert set(Rollup.objects.filter(period="d").values_list("start", flat=True)) == {long_ago.date()}
    assert set(Rollup.objects.filter(period="m").values_list("start", flat=True)) == {
        long_ago.date().replace(day=1)
    }
    assert counted("hour") == {f"{3 * 24 + 23:03}": 1}


def test_durations_count_in_the_right_buckets(people: People) -> None:
    execution = job(people.ann, "succeeded")
    began = execution.created_at
    Execution.objects.filter(pk=execution.pk).update(
        accepted_at=began, running_at=began + timedelta(seconds=4), ended_at=began + timedelta(seconds=34)
    )
    delivery = WebhookDelivery.objects.create(
        webhook_id="msg_1", outcome=Outcome.APPLIED, body=b"{}", occurred_at=began, received_at=began + timedelta(milliseconds=250)
    )  # fmt: skip
    Event.objects.create(
        execution=execution, kind=Kind.STATUS, from_status="running", to_status="running", source=Source.WEBHOOK, delivery=delivery, occurred_at=began
    )  # fmt: skip
    rollup.advance()
    for measure, seconds in (("waiting", 4), ("running", 30), ("delay", 0.25)):
        found = {int(value): count for value, count in counted(measure).items()}
        assert list(found.values()) == [1]
        assert histogram.percentile(found, 0.5) == pytest.approx(seconds, rel=0.2), measure
    assert counted("heard")["webhook"] == 1


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_percentiles_of_added_counts_are_accurate(share: float) -> None:
    chance = random.Random(7)
    times = sorted(chance.lognormvariate(2, 1.1) for _ in range(5000))
    halves = [Counter(map(histogram.bucket, times[first::2])) for first in (0, 1)]
    estimate = histogram.percentile(halves[0] + halves[1], share)
    assert estimate == pytest.approx(times[int(share * len(times))], rel=0.05)


def test_a_duration_is_within_its_bucket() -> None:
    for seconds in (0.0011, 0.25, 1.0, 59.9, 3600.0, 1e6):
        number = histogram.bucket(seconds)
        assert histogram.lower_bound(number) <= seconds < histogram.lower_bound(number + 1)
    assert histogram.bucket(-5) == histogram.bucket(0) == 0
    assert histogram.percentile({}, 0.5) is None


def test_counting_again_adds_nothing(people: People) -> None:
    make_jobs(people)
    assert rollup.advance()
    before = all_counts()
    assert not rollup.advance()
    assert all_counts() == before


def test_of_two_workers_that_read_the_same_events_one_adds_them(people: People) -> None:
    make_jobs(people)
    mine, theirs = rollup.read(), rollup.read()
    assert mine
    assert theirs
    assert rollup.write(theirs)
    before = all_counts()
    assert not rollup.write(mine)
    assert all_counts() == before


def test_a_crash_while_adding_rolls_back_counts_and_position(people: People, monkeypatch: Any) -> None:
    make_jobs(people)
    add = rollup._add

    def half(counts: Any) -> None:
        add(Counter(dict(list(counts.items())[:3])))
        raise ConnectionError("the power is gone")

    with monkeypatch.context() as patched:
        patched.setattr(rollup, "_add", half)
        with pytest.raises(ConnectionError):
            rollup.advance()
    assert all_counts() == {}
    assert rollup.state().event_id == 0
    rollup.advance()
    assert counted("started") == {"": 8}


def test_small_steps_give_the_same_counts_as_one_large_step(people: People) -> None:
    make_jobs(people)
    while rollup.advance(3):
        pass
    by_steps = all_counts()
    rollup.clear()
    assert all_counts() == {}
    rollup.advance()
    assert all_counts() == by_steps


def test_weeks_can_be_counted_from_days(people: People) -> None:
    """As a migration does, since the events of old days may have been pruned."""
    make_jobs(people)
    for days in (1, 3, 6, 7, 8, 30):
        old = job(people.ann, "succeeded")
        Execution.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=days))
    rollup.advance()
    counts = all_counts()
    weeks = {key: count for key, count in counts.items() if key[0] == "w"}
    assert len({key[1] for key in weeks}) >= 3
    assert all(key[1].weekday() == 0 for key in weeks)
    assert not any(key[2] and key[3] for key in weeks)  # a tool and a person
    migration = import_module("executions.migrations.0011_fewer_indexes_and_weeks")
    migration.forget_weeks(apps, None)
    assert all_counts() == {key: count for key, count in counts.items() if key not in weeks}
    migration.count_weeks(apps, SimpleNamespace(connection=connection))
    assert all_counts() == counts


def test_one_worker_at_a_time_until_its_lease_expires(people: People) -> None:
    slow = rollup.claim()
    assert slow is not None
    assert rollup.claim() is None
    slow.leased_until = timezone.now() - timedelta(seconds=1)
    slow.save(update_fields=["leased_until"])
    successor = rollup.claim()
    assert successor is not None
    rollup.release(slow)
    assert rollup.claim() is None, "the lease of another worker was released"
    rollup.release(successor)
    assert rollup.claim() is not None


def test_a_worker_that_wrote_counts_can_release_its_lease(people: People) -> None:
    make_jobs(people)
    claimed = rollup.claim()
    assert claimed is not None
    step = rollup.read()
    assert step is not None
    assert rollup.write(step, claimed)
    assert rollup.claim() is None
    rollup.release(claimed)
    assert rollup.claim() is not None


def test_events_after_a_gap_are_not_counted_until_the_grace_period_is_over(
    people: People, monkeypatch: Any
) -> None:
    """As on PostgreSQL, when another transaction has taken an id and not committed it yet."""
    monkeypatch.setattr(connection, "vendor", "postgresql", raising=False)
    monkeypatch.setattr(rollup, "COMMIT_GRACE", COMMIT_GRACE)
    execution = job(people.ann, "running")
    last = Event.objects.latest("id").pk
    columns = {
        "kind": Kind.ATTEMPT,
        "source": Source.POLL,
        "occurred_at": timezone.now(),
        "execution": execution,
    }
    Event.objects.create(id=last + 2, **columns)
    assert rollup.last_settled(0, 1000, timezone.now()) <= last
    assert rollup.last_settled(last, 1000, timezone.now()) == last + 1
    assert rollup.last_settled(last, 1000, timezone.now() + rollup.COMMIT_GRACE * 2) == last + 2
    Event.objects.create(id=last + 1, **columns)
    assert rollup.last_settled(last, 1000, timezone.now()) == last + 2


def test_the_check_finds_a_wrong_count_and_a_rebuild_fixes_it(people: People, capsys: Any) -> None:
    make_jobs(people)
    call_command("rollup")
    call_command("rollup", check=True)
    assert "agree" in capsys.readouterr().out
    correct = all_counts()
    Rollup.objects.filter(measure="ended", person=0, tool="", value="succeeded", period="d").update(count=1)
    with pytest.raises(CommandError, match="--rebuild"):
        call_command("rollup", check=True)
    call_command("rollup", rebuild=True)
    call_command("rollup", check=True)
    assert all_counts() == correct


@pytest.fixture
def pruned(people: People, settings: Any) -> timedelta:
    """Jobs of today, and jobs of the returned age whose events were pruned and of which only the counts are left."""
    age = timedelta(days=40)
    make_jobs(people)
    triggers.drop(connection)
    QuerySet.update(Event.objects.all(), recorded_at=timezone.now() - age)
    triggers.install(connection)
    Execution.objects.update(created_at=timezone.now() - age)
    make_jobs(people)
    call_command("rollup")
    sealing.seal_all()
    settings.AUDIT_RETENTION_DAYS = 30
    assert retention.prune()
    while retention.delete_summarized():
        pass
    return age


def test_after_pruning_only_stored_events_are_checked(pruned: timedelta, capsys: Any) -> None:
    call_command("rollup", check=True)
    output = capsys.readouterr().out
    since = (timezone.now() - pruned + timedelta(hours=1)).date() + timedelta(days=1)
    assert f"Events were pruned: only counts of jobs started since {since:%-d %B %Y}" in output
    assert "These agree" in output
    assert counted("started") == {"": 8}, "of the last day"
    Rollup.objects.filter(start__lt=since, period="d").update(count=1)
    call_command("rollup", check=True)


@pytest.mark.parametrize("period", ["d", "w", "m"])
def test_after_pruning_a_wrong_recent_count_is_found(period: str, pruned: timedelta) -> None:
    last = Rollup.objects.filter(period=period, measure="ended", person=0, tool="").latest("start")
    Rollup.objects.filter(pk=last.pk).update(count=99)
    with pytest.raises(CommandError, match="by the counts per") as caught:
        call_command("rollup", check=True)
    assert "fixes this" not in str(caught.value)
    assert "Events were pruned" in str(caught.value)


def test_after_pruning_everything_there_is_nothing_to_check(
    people: People, settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    make_jobs(people)
    call_command("rollup")
    sealing.seal_all()
    settings.AUDIT_RETENTION_DAYS = 1
    later = timezone.now() + timedelta(days=3)
    with monkeypatch.context() as patched:
        patched.setattr(timezone, "now", lambda: later)
        assert retention.prune()
    while retention.delete_summarized():
        pass
    call_command("rollup", check=True)
    assert "Events were pruned" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("day", "week", "month"),
    [
        ("2026-10-05", "2026-10-05", "2026-11-01"),
        ("2026-10-06", "2026-10-12", "2026-11-01"),
        ("2026-11-01", "2026-11-02", "2026-11-01"),
        ("2026-12-31", "2027-01-04", "2027-01-01"),
        ("2026-01-31", "2026-02-02", "2026-02-01"),
    ],
)
def test_only_whole_weeks_and_months_are_checked(day: str, week: str, month: str) -> None:
    found = [verify_rollup.first_whole(period, date.fromisoformat(day)).isoformat() for period in Period]
    assert found == [day, week, month]


@pytest.mark.django_db(transaction=True)
async def test_the_worker_counts_new_events(people: People) -> None:
    await runtime.in_db(make_jobs, people)
    await maintenance.update_rollups()
    assert await runtime.in_reader(counted, "started") == {"": 8}
    assert await runtime.in_db(rollup.claim), "the lease was not released"
