"""A migrated SQLite database, made once per test run. Copying it spares a server most of the time of its first start."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "rushes.sqlite3"
COMMAND = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
# Set for the test run; all workers share the folder.
SHARED_FOLDER = "TESTS_SHARED_FOLDER"


@cache
def template() -> Path:
    """The database as the migrations make it, without other rows. The first worker that needs it makes it."""
    folder = Path(os.environ[SHARED_FOLDER])
    path = folder / f"migrated-{NAME}"
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=folder) as data_dir:
                inherited = {
                    name: value for name, value in os.environ.items() if not name.startswith("PYTEST")
                }
                subprocess.run(
                    COMMAND,
                    cwd=ROOT,
                    env={**inherited, "DATA_DIR": data_dir, "DATABASE_URL": "", "REDIS_URL": ""},
                    check=True,
                )
                # The last connection has written the log back into the file.
                assert not Path(data_dir, f"{NAME}-wal").exists()
                Path(data_dir, NAME).rename(path)
    return path


def prepare(data_dir: Path) -> None:
    """Put a migrated database into a data folder that has none yet."""
    if not (data_dir / NAME).exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template(), data_dir / NAME)


def replace(database: Path) -> None:
    """Make a database file, and what an earlier run left beside it, a fresh copy."""
    for suffix in ("-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(template(), database)
