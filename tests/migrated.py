"""Migrated databases, made once per test run and copied: tests and servers start without migrating again.

Migrating takes seconds of computing, because Django renders the models again for every operation.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
NAME = "rushes.sqlite3"
COMMAND = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
# Set for the test run; all workers share the folder.
SHARED_FOLDER = "TESTS_SHARED_FOLDER"
# Settings without which no command runs on PostgreSQL; migrating does not use them.
REQUIRED = {
    "SECRET_KEY": "only for the migrations of tests",
    "ALLOWED_HOSTS": "localhost",
    "PUBLIC_URL": "https://localhost",
    "VIDEOGEN_API_KEY": "unused",
}


@contextmanager
def _locked() -> Iterator[Path]:
    """The shared folder, for one worker at a time."""
    folder = Path(os.environ[SHARED_FOLDER])
    with (folder / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _migrate(**environment: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    subprocess.run(COMMAND, cwd=ROOT, env={**inherited, "REDIS_URL": "", **environment}, check=True)


# --- SQLite -----------------------------------------------------------------------------------------------


@cache
def template() -> Path:
    """The SQLite database as the migrations make it, without other rows. The first worker that needs it makes it."""
    with _locked() as folder:
        path = folder / f"migrated-{NAME}"
        if not path.exists():
            with tempfile.TemporaryDirectory(dir=folder) as data_dir:
                _migrate(DATA_DIR=data_dir, DATABASE_URL="")
                # The last connection has written the log back into the file.
                assert not Path(data_dir, f"{NAME}-wal").exists()
                Path(data_dir, NAME).rename(path)
    return path


def make() -> None:
    """Make the database that the tests of this run will copy, so that no worker has to wait for it."""
    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        postgres_template()
    else:
        template()


def prepare(data_dir: Path) -> None:
    """Put a migrated database into a data folder that has none yet."""
    if not (data_dir / NAME).exists():
        data_dir.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(template(), data_dir / NAME)


def replace(database: Path) -> None:
    """Replace a database file by a fresh copy, and delete leftover -wal and -shm files."""
    for suffix in ("-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(template(), database)


# --- PostgreSQL -------------------------------------------------------------------------------------------


def postgres_template() -> str:
    """The name of a migrated PostgreSQL database, for `CREATE DATABASE ... TEMPLATE`. The first worker makes it."""
    with _locked() as folder:
        name, ready = _postgres_name(folder), folder / "postgres-migrated"
        if not ready.exists():
            with _server() as server:
                server.execute(f"DROP DATABASE IF EXISTS {name}")
                server.execute(f"CREATE DATABASE {name}")
            url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
            _migrate(DATABASE_URL=url, **REQUIRED)
            ready.touch()
    return name


def drop_postgres_template() -> None:
    """Drop the database of `postgres_template`, if there is one."""
    if os.environ.get("DATABASE_URL", "").startswith("postgres"):
        with _server() as server:
            server.execute(f"DROP DATABASE IF EXISTS {_postgres_name(Path(os.environ[SHARED_FOLDER]))}")


def _postgres_name(folder: Path) -> str:
    return folder.name.replace("-", "_")


@contextmanager
def _server() -> Iterator[Any]:
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
        yield server
