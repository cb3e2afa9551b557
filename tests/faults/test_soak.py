"""A short soak: random faults of every kind, then a comparison of every job and delivery with the sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cluster import programs
from tests.dashboard.serving import ROOT, environment
from tests.migrated import prepare

ON_POSTGRES = os.environ.get("DATABASE_URL", "").startswith("postgres")
# Seconds. The number of jobs limits the duration; this is for a soak that hangs.
SOAK_TIMEOUT = 1200


def run_soak(folder: Path, database: str, kills: int) -> None:
    """Run the soak. Fails with its table if a line of it is off."""
    command = [sys.executable, "-m", "soak", "--light", "--jobs", "60", "--seconds", "20"]
    command += ["--kills", str(kills), "--database", database, "--keep", str(folder / "soak")]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(folder / "data"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SOAK_TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(ON_POSTGRES, reason="the other test runs on PostgreSQL")
@pytest.mark.slow
def test_a_soak_on_sqlite_leaves_every_job_with_its_true_outcome(tmp_path: Path) -> None:
    """Fault 53: kill -9 of the server under every fault of VideoGen: each job right, once; no delivery lost."""
    prepare(tmp_path / "soak")
    run_soak(tmp_path, "sqlite", kills=2)


@pytest.mark.services
@pytest.mark.skipif(not ON_POSTGRES, reason="needs PostgreSQL")
@pytest.mark.slow
def test_a_soak_on_postgresql_leaves_every_job_with_its_true_outcome(tmp_path: Path) -> None:
    """Faults 53 and 56: kill -9 of two servers and of the reconciler, and a crash of the database, under every fault."""
    assert programs() is not None, "DATABASE_URL is set, but the PostgreSQL server programs are not installed"
    run_soak(tmp_path, "postgres", kills=3)
