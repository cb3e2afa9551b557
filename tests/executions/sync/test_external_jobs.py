"""External jobs: what happens to one that cannot be imported."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from executions.lifecycle import status_machine
from executions.models import Execution, ExternalJob
from executions.sync import external_jobs

pytestmark = pytest.mark.django_db


def seen(remote_id: str) -> ExternalJob:
    now = timezone.now()
    return ExternalJob.objects.create(
        remote_id=remote_id, tool="generate-image", status="running", started_before=now
    )


def test_a_job_that_another_reconciler_has_imported_is_not_imported_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, second = seen("vg_exec_1"), ExternalJob.objects.get()

    assert external_jobs.import_one(first) is not None
    assert external_jobs.import_one(second) is None

    assert Execution.objects.count() == 1
    assert caplog.text == ""


def test_a_job_that_the_database_refuses_is_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: Any) -> None:
        raise IntegrityError("CHECK constraint failed")

    monkeypatch.setattr(status_machine, "insert_external", refuse)

    assert external_jobs.import_one(seen("vg_exec_1")) is None

    assert "The external job vg_exec_1 could not be imported" in caplog.text
    assert ExternalJob.objects.filter(remote_id="vg_exec_1").exists(), "it is tried again"
