"""A job and its event are written together, and never over what another writer has written."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from executions.lifecycle import observations, status_machine
from executions.models import Event, Execution
from executions.models.event import Kind, Source
from executions.statuses import PENDING, QUEUED, RUNNING, SUCCEEDED
from tests.factories import jobs

pytestmark = pytest.mark.django_db(transaction=True)

UNKNOWN_ID = 999_999


def reported(status: str, source: Source = Source.POLL, **fields: Any) -> observations.StatusReported:
    return observations.StatusReported(source=source, status=status, **fields)


# --- a row that the caller has read -------------------------------------------------------------------------


def test_a_stale_row_changes_nothing_when_the_report_is_out_of_date() -> None:
    job = jobs.running()
    stale = jobs.reload(job)
    jobs.report(job, RUNNING, attempt=0, progress=60.0)
    before = jobs.reload(job)

    assert status_machine.apply(job.pk, reported(RUNNING, attempt=0, progress=40.0), row=stale) is False

    now = jobs.reload(job)
    assert (now.progress, now.version) == (60.0, before.version)


def test_a_change_follows_the_stored_status_when_the_row_is_stale() -> None:
    job = jobs.accepted()
    stale = jobs.reload(job)
    jobs.report(job, RUNNING)

    assert status_machine.apply(job.pk, reported(SUCCEEDED), row=stale) is True

    assert jobs.events_of(job)[-2:] == [
        (Kind.STATUS, PENDING, RUNNING, Source.POLL),
        (Kind.STATUS, RUNNING, SUCCEEDED, Source.POLL),
    ]
    assert jobs.reload(job).version == stale.version + 2


def test_a_row_that_the_caller_has_read_is_not_read_again() -> None:
    job = jobs.running()

    with CaptureQueriesContext(connection) as queries:
        assert status_machine.apply(job.pk, reported(RUNNING, attempt=0, progress=60.0), row=job)

    assert not [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
    assert jobs.reload(job).progress == 60.0


# --- one transaction ----------------------------------------------------------------------------------------


def test_a_change_is_not_stored_without_its_event() -> None:
    job = jobs.running()

    with pytest.raises(IntegrityError):
        status_machine.apply(job.pk, reported(SUCCEEDED, Source.WEBHOOK, delivery_id=UNKNOWN_ID))

    assert jobs.reload(job).status == RUNNING
    assert jobs.replay_status(job) == RUNNING


def test_a_new_job_is_not_stored_without_its_event() -> None:
    with pytest.raises(IntegrityError):
        status_machine.start_all([Execution(tool="generate-image")], actor_id=UNKNOWN_ID, details={})

    assert not Execution.objects.exists()


def test_an_external_job_is_not_stored_without_its_event(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise IntegrityError

    monkeypatch.setattr(Event, "save", refuse)

    with pytest.raises(IntegrityError):
        status_machine.insert_external(Execution(tool="generate-image", remote_id="vg_exec_1"))

    assert not Execution.objects.exists()


def test_an_outer_transaction_fails_with_a_change_that_fails() -> None:
    jobs.accepted("vg_exec_1")
    job = jobs.sending()

    with transaction.atomic():
        with pytest.raises(IntegrityError):
            status_machine.apply(job.pk, observations.Accepted(remote_id="vg_exec_1"))
        with pytest.raises(TransactionManagementError):
            jobs.reload(job)


# --- the first status ---------------------------------------------------------------------------------------


def test_a_new_job_is_queued_whatever_status_it_was_given() -> None:
    job = Execution(tool="generate-image", status=SUCCEEDED)

    status_machine.start_all([job], actor_id=None, details={})

    assert (job.status, jobs.reload(job).status) == (QUEUED, QUEUED)
    assert jobs.replay_status(job) == QUEUED
