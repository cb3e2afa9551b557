"""A worker that dies: its leases expire within a minute, and another worker continues."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from executions.lifecycle import leases
from tests.conftest import ROOT
from tests.dashboard.serving import environment
from tests.factories import jobs
from tests.waiting import PROCESS_DEADLINE

CLAIM = """
import django, sys, time
django.setup()
from executions.lifecycle import leases
print(leases.claim_due(5), flush=True)
time.sleep(600)  # until it is killed
"""


@pytest.mark.processes
@pytest.mark.django_db(transaction=True)
def test_a_dead_workers_job_is_claimed_by_another_within_a_minute(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    job = jobs.queued()
    settings = connection.settings_dict
    url = (
        f"sqlite:///{settings['NAME']}"
        if connection.vendor == "sqlite"
        else "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**settings)
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", CLAIM],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(
            tmp_path_factory.mktemp("worker"),
            DATABASE_URL=url,
            DJANGO_SETTINGS_MODULE="dashboard.settings",
            SECRET_KEY="tests only, " * 4,
            ALLOWED_HOSTS="localhost",
            VIDEOGEN_API_KEY="tests-only-key",
            PUBLIC_URL="https://rushes.example.org",
        ),
    )
    assert worker.stdout is not None
    assert str(job.pk) in worker.stdout.readline()
    assert leases.claim_due(5) == [], "it is claimed"

    worker.send_signal(signal.SIGKILL)
    worker.wait(PROCESS_DEADLINE)
    worker.stdout.close()

    now = timezone.now()
    monkeypatch.setattr(leases.timezone, "now", lambda: now + timedelta(seconds=60))
    assert leases.claim_due(5) == [job.pk]
