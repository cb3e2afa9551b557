"""A temporary PostgreSQL server that tests and benchmarks can kill and restart."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import psycopg

from benchmarks.product import free_port

SUPERUSER = "postgres"
OPTIONS = "-c fsync=off -c listen_addresses=127.0.0.1 -c max_connections=200"


def programs() -> Path | None:
    """The program folder of the newest PostgreSQL on this machine; None if none is installed."""
    if found := shutil.which("pg_ctl"):
        return Path(found).resolve().parent
    folders = Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")
    return max((each.parent for each in folders), key=lambda each: int(each.parent.name), default=None)


class Cluster:
    """Runs within its context. PostgreSQL refuses to run as root, so root starts it as the user postgres."""

    def __init__(self) -> None:
        found = programs()
        if found is None:
            raise RuntimeError("No PostgreSQL server is installed on this machine.")
        self._programs = found
        self.folder = Path(tempfile.mkdtemp(prefix="rushes-postgres-"))
        self.port = free_port()
        self._user = SUPERUSER if os.geteuid() == 0 else getpass.getuser()
        if os.geteuid() == 0:
            owner = pwd.getpwnam(SUPERUSER)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)

    def url(self, database: str = "rushes") -> str:
        return f"postgres://{SUPERUSER}@127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Self:
        try:
            self._run("initdb", "--pgdata", "data", "--username", SUPERUSER, "--auth", "trust", "--no-sync")
            self.start()
            with psycopg.connect(self.url("postgres"), autocommit=True) as database:
                database.execute("CREATE DATABASE rushes")
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self._remove()

    def _remove(self) -> None:
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self) -> None:
        options = f"{OPTIONS} -p {self.port} -k {self.folder}"
        self._run("pg_ctl", "--pgdata", "data", "--log", "log", "--wait", "-o", options, "start")

    def stop(self, mode: str = "fast") -> None:
        """`fast` closes every connection and shuts down cleanly; `immediate` is a crash."""
        self._run("pg_ctl", "--pgdata", "data", "--wait", "-m", mode, "stop", check=False)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments],
            cwd=self.folder,
            user=self._user if os.geteuid() == 0 else None,
            check=check,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
