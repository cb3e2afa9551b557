"""How pages describe the cancellation of a job."""

from __future__ import annotations

from django.utils import timezone

from dashboard.cards.cancellation import cancellation
from executions.models import Execution


def test_a_job_that_no_person_cancelled_was_cancelled_by_rushes() -> None:
    found = cancellation(Execution(status="running", cancel_requested_at=timezone.now()))

    assert found is not None
    assert found.by == "Rushes"
