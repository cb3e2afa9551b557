"""The soak in short: everything goes wrong at random, and every job and delivery is compared with the truth."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cluster import programs
from tests.dashboard.serving import ROOT, environment

ON_POSTGRES = os.environ.get("DATABASE_URL", "").startswith("postgres")
# It is the number of jobs that bounds it. This is for a soak that hangs.
PATIENCE = 1200


def soak(folder: Path, database: str, kills: int) -> None:
    """The table is printed where a line of it is off."""
    command = [sys.executable, "-m", "soak", "--light", "--jobs", "60", "--seconds", "20"]
    command += ["--kills", str(kills), "--database", database, "--keep", str(folder / "soak")]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(folder / "data"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(ON_POSTGRES, reason="on PostgreSQL the other one runs")
def test_everything_at_once_on_sqlite_ends_with_the_truth(tmp_path: Path) -> None:
    """Fault 53 and all of VideoGen's: kill -9 of the server under every fault: each job right, once; no delivery lost."""
    soak(tmp_path, "sqlite", kills=2)


@pytest.mark.services
@pytest.mark.skipif(not ON_POSTGRES, reason="needs PostgreSQL")
def test_everything_at_once_on_postgresql_ends_with_the_truth(tmp_path: Path) -> None:
    """Faults 53 and 56: kill -9 of two servers and of the reconciler, and a crash of the database, under every fault."""
    assert programs() is not None, "the programs of a PostgreSQL server are needed beside DATABASE_URL"
    soak(tmp_path, "postgres", kills=3)
