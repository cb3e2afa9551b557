"""All leased tables behave alike: a row has one holder, until it is released or its lease expires."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django.utils.timezone import now as real_now

from executions.core.leasing import LeasedQuerySet
from executions.models import CopyRequest, DailyReconciliation, Execution, File, FileImport, RollupState
from executions.models.daily_reconciliation import RETRY_AFTER
from tests.factories import jobs
from tests.factories.files import file
from tests.threads import run_together

pytestmark = pytest.mark.django_db(transaction=True)

LEASE = RETRY_AFTER  # the same for all tables, since the length is fixed in the table of days


def copy_request() -> CopyRequest:
    return CopyRequest.objects.create(file=file(), due_at=timezone.now() - timedelta(minutes=1))


def due_file() -> File:
    ago = timezone.now() - timedelta(minutes=1)
    return file(next_poll_at=ago)


def day() -> DailyReconciliation:
    began = timezone.now() - RETRY_AFTER - timedelta(minutes=1)
    first = datetime(2026, 5, 1).date()
    return DailyReconciliation.objects.create(
        day=first + timedelta(days=DailyReconciliation.objects.count()), began_at=began
    )


@dataclass(frozen=True)
class Table:
    model: Any
    make: Callable[[], Any]

    @property
    def rows(self) -> LeasedQuerySet[Any]:
        rows: LeasedQuerySet[Any] = self.model.objects.order_by("pk")
        return rows


TABLES = [
    Table(Execution, jobs.queued),
    Table(CopyRequest, copy_request),
    Table(File, due_file),
    Table(FileImport, lambda: FileImport.objects.create(pk=FileImport.objects.count() + 1)),
    Table(DailyReconciliation, day),
    Table(RollupState, lambda: RollupState.objects.create(pk=RollupState.objects.count() + 1)),
]


@pytest.fixture(params=TABLES, ids=lambda table: table.model.__name__)
def table(request: pytest.FixtureRequest) -> Table:
    found: Table = request.param
    return found


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[timedelta], None]:
    """Moves the clock forward."""

    def move(by: timedelta) -> None:
        monkeypatch.setattr(timezone, "now", lambda: real_now() + by)

    return move


def test_each_row_goes_to_one_of_many_processes(table: Table) -> None:
    made = {table.make().pk for _ in range(12)}

    def claim() -> list[Any]:
        mine: list[Any] = []
        while found := table.rows.claim(2, LEASE):
            mine += [row.pk for row in found]
        return mine

    claims = [pk for mine in run_together([claim] * 10) for pk in mine]
    # A row that another process had locked is skipped; the next claim finds it.
    claims += [row.pk for row in table.rows.claim(12, LEASE)]

    assert sorted(map(str, claims)) == sorted(map(str, made)), "each row exactly once"


def test_one_of_many_processes_takes_a_given_row(table: Table) -> None:
    row = table.make()
    taken = run_together([partial(table.rows.filter(pk=row.pk).claim_all, LEASE)] * 6)
    assert sum(mark is not None for mark in taken) == 1
    [mark] = filter(None, taken)
    row.refresh_from_db()
    assert getattr(row, table.rows.lease_column) == mark


def test_a_claim_respects_its_limit_and_the_order(table: Table) -> None:
    made = sorted([table.make().pk for _ in range(3)])
    assert [row.pk for row in table.rows.claim(2, LEASE)] == made[:2]
    assert [row.pk for row in table.rows.claim(2, LEASE)] == made[2:]
    assert table.rows.claim(2, LEASE) == []


def test_a_dead_workers_lease_expires(table: Table, later: Callable[[timedelta], None]) -> None:
    table.make()
    [dead] = table.rows.claim(1, LEASE)
    later(LEASE - timedelta(seconds=30))
    assert table.rows.claim(1, LEASE) == []
    later(LEASE + timedelta(seconds=1))
    [successor] = table.rows.claim(1, LEASE)
    assert successor.pk == dead.pk


def test_a_renewed_lease_lasts_longer(table: Table, later: Callable[[timedelta], None]) -> None:
    table.make()
    [mine] = table.rows.claim(1, LEASE)
    later(LEASE - timedelta(seconds=30))
    assert table.rows.renew(mine, LEASE)
    later(LEASE + timedelta(seconds=30))
    assert table.rows.claim(1, LEASE) == []
    assert table.rows.held(mine).exists(), "the holder knows its new time"


def test_a_renewal_stores_progress_and_extends_the_lease(
    later: Callable[[timedelta], None],
) -> None:
    copy_request()
    [mine] = CopyRequest.objects.claim(1, LEASE)
    later(LEASE - timedelta(seconds=30))
    assert CopyRequest.objects.renew(mine, LEASE, received=7)
    later(LEASE + timedelta(seconds=30))
    assert CopyRequest.objects.claim(1, LEASE) == []
    assert CopyRequest.objects.get(received=7).due_at == mine.due_at


def test_a_worker_that_lost_its_lease_writes_nothing(
    table: Table, later: Callable[[timedelta], None]
) -> None:
    table.make()
    [slow] = table.rows.claim(1, LEASE)
    later(LEASE + timedelta(seconds=1))
    [successor] = table.rows.claim(1, LEASE)
    assert not table.rows.renew(slow, LEASE)
    assert not table.rows.release(slow)
    assert not table.rows.held(slow).exists()
    assert table.rows.renew(successor, LEASE)


def test_a_released_row_is_free_at_once(later: Callable[[timedelta], None]) -> None:
    RollupState.objects.create()
    [mine] = RollupState.objects.claim(1, LEASE)
    assert RollupState.objects.release(mine, event_id=7)
    [other] = RollupState.objects.claim(1, LEASE)
    assert other.event_id == 7


def test_a_row_can_be_released_until_a_later_time(later: Callable[[timedelta], None]) -> None:
    copy_request()
    [mine] = CopyRequest.objects.claim(1, LEASE)
    assert CopyRequest.objects.release(mine, timezone.now() + timedelta(hours=1), tries=3)
    later(timedelta(minutes=59))
    assert CopyRequest.objects.claim(1, LEASE) == []
    later(timedelta(minutes=61))
    [again] = CopyRequest.objects.claim(1, LEASE)
    assert again.tries == 3


def test_null_means_free_or_never_due_depending_on_the_table(table: Table) -> None:
    if table.model is DailyReconciliation:
        pytest.skip("its column cannot be null")
    table.make()
    table.rows.update(**{table.rows.lease_column: None})
    assert len(table.rows.claim(1, LEASE)) == (0 if table.model in (CopyRequest, File) else 1)


def test_a_single_process_frees_all_leases_but_no_row_that_is_due_later() -> None:
    for make in (copy_request, jobs.queued):
        make()
    waiting = copy_request()
    at = timezone.now() + LEASE + timedelta(hours=1)
    CopyRequest.objects.filter(pk=waiting.pk).update(due_at=at)
    assert (len(CopyRequest.objects.claim(5, LEASE)), len(Execution.objects.claim(5, LEASE))) == (1, 1)
    assert CopyRequest.objects.release_all(LEASE) == 1
    assert Execution.objects.release_all(LEASE) == 1
    assert (len(CopyRequest.objects.claim(5, LEASE)), len(Execution.objects.claim(5, LEASE))) == (1, 1)
    waiting.refresh_from_db()
    assert waiting.due_at == at


def test_a_claim_does_not_wait_for_rows_locked_by_another_transaction() -> None:
    """PostgreSQL only. SQLite has one writer, so a claim waits for its turn."""
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("SQLite cannot lock rows")
    from django.db import transaction

    first, second = sorted([jobs.queued().pk, jobs.queued().pk])
    with transaction.atomic():
        assert [row.pk for row in Execution.objects.order_by("pk").skip_locked()[:1]] == [first]
        [claimed] = run_together(
            [lambda: [row.pk for row in Execution.objects.order_by("pk").claim(5, LEASE)]]
        )
    assert claimed == [second]
