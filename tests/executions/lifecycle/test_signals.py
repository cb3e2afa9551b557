"""What the rest of the house hears of a change: once, and only when it is true for everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from executions import tools
from executions.lifecycle import create
from executions.signals import execution_changed
from executions.tools import already_validated
from tests.factories import jobs


@pytest.fixture
def heard(transactional_db: None) -> Iterator[list[dict[str, Any]]]:
    """The signals that were sent, as the rest of the house hears them."""
    told: list[dict[str, Any]] = []

    def hear(signal: Any, sender: Any, **news: Any) -> None:
        told.append(news)

    execution_changed.connect(hear)
    yield told
    execution_changed.disconnect(hear)


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_a_signal_in_a_transaction_that_fails_later_is_never_sent(
    heard: list[dict[str, Any]], end: str
) -> None:
    job = jobs.accepted()
    heard.clear()

    with pytest.raises(IntegrityError), transaction.atomic():
        jobs.report(job, end)
        raise IntegrityError

    assert heard == []
    assert jobs.reload(job).status == "pending"


def test_one_signal_tells_what_changed_whose_it_is_and_that_it_is_new(
    heard: list[dict[str, Any]], ann: Any
) -> None:
    tool = tools.find("generate-image")
    job, _ = create.start(tool=tool, body=already_validated({"prompt": "x"}), actor=ann)

    expected = {"execution_id": job.pk, "created": True, "from_status": "", "to_status": "queued"}
    assert heard == [{**expected, "owner_id": ann.pk, "batch_id": None}]


def test_a_change_of_progress_is_told_though_the_status_stays(heard: list[dict[str, Any]]) -> None:
    job = jobs.running()
    heard.clear()

    jobs.report(job, "running", attempt=0, progress=70.0)
    jobs.report(job, "running", attempt=0, progress=70.0)

    assert [(news["from_status"], news["to_status"]) for news in heard] == [("running", "running")]
    assert heard[0]["created"] is False
