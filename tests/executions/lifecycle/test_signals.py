"""`execution_changed` is sent once per change, after the commit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from executions import tools
from executions.lifecycle import create, status_machine
from executions.models import Execution
from executions.signals import execution_changed
from executions.tools import already_validated
from tests.factories import jobs, planning


@pytest.fixture
def signals(transactional_db: None) -> Iterator[list[dict[str, Any]]]:
    """The arguments of the signals that were sent."""
    received: list[dict[str, Any]] = []

    def record(signal: Any, sender: Any, **arguments: Any) -> None:
        received.append(arguments)

    execution_changed.connect(record, sender=Execution)
    yield received
    execution_changed.disconnect(record, sender=Execution)


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_no_signal_is_sent_when_the_transaction_fails(signals: list[dict[str, Any]], end: str) -> None:
    job = jobs.accepted()
    signals.clear()

    with pytest.raises(IntegrityError), transaction.atomic():
        jobs.report(job, end)
        raise IntegrityError

    assert signals == []
    assert jobs.reload(job).status == "pending"


def test_the_signal_of_a_new_job_has_its_status_and_owner(signals: list[dict[str, Any]], ann: Any) -> None:
    tool = tools.find("generate-image")
    job, _ = create.start(tool=tool, body=already_validated({"prompt": "x"}), actor=ann)

    expected = {"execution_id": job.pk, "created": True, "from_status": "", "to_status": "queued"}
    assert signals == [{**expected, "owner_id": ann.pk, "batch_id": None}]


def test_a_change_of_progress_sends_a_signal(signals: list[dict[str, Any]]) -> None:
    job = jobs.running()
    signals.clear()

    jobs.report(job, "running", attempt=0, progress=70.0)
    jobs.report(job, "running", attempt=0, progress=70.0)

    assert [(each["from_status"], each["to_status"]) for each in signals] == [("running", "running")]
    assert signals[0]["created"] is False


def test_the_signal_of_a_job_in_a_batch_names_the_batch(signals: list[dict[str, Any]], ann: Any) -> None:
    batch = planning.batch(ann, 1)

    assert [(each["batch_id"], each["owner_id"]) for each in signals] == [(batch.pk, ann.pk)]


def test_the_signal_of_an_external_job_says_that_it_is_new(signals: list[dict[str, Any]]) -> None:
    job = Execution(tool="generate-image", origin=Execution.Origin.EXTERNAL, remote_id="vg_exec_1")

    status_machine.insert_external(job)

    assert [(each["created"], each["from_status"], each["to_status"]) for each in signals] == [
        (True, "", "pending")
    ]


def test_an_announcement_without_a_change_names_the_current_status(signals: list[dict[str, Any]]) -> None:
    job = jobs.running()
    signals.clear()

    status_machine.announce_change(job)

    expected = {"execution_id": job.pk, "created": False, "from_status": "running", "to_status": "running"}
    assert signals == [{**expected, "owner_id": None, "batch_id": None}]
