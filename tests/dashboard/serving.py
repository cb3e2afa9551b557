"""Runs `manage.py` as a subprocess, and `serve` with signed-in clients, for tests."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests import processes
from tests.migrated import prepare
from tests.waiting import DEADLINE, PROCESS_DEADLINE

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "tests only, never typed"
# Seconds. Only for a server that hangs: a start may be slow, and one that exits is noticed at once.
START_TIMEOUT = 600.0
SETTINGS = (
    *("DATA_DIR", "DATABASE_URL", "REDIS_URL", "SECRET_KEY", "ENCRYPTION_KEYS", "DEBUG", "ALLOWED_HOSTS"),
    *(
        "PUBLIC_URL",
        "PORT",
        "DEMO_PASSWORD",
        "LOG_LEVEL",
        "SANDBOX_SPEED",
        "METRICS_TOKEN",
        "DJANGO_SETTINGS_MODULE",
    ),
)


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """This process's environment without the settings of Rushes, and with `variables`."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in SETTINGS and not name.startswith(("VIDEOGEN", "PYTEST"))
    }
    return {**inherited, "DATA_DIR": str(data_dir), **variables}


def manage(data_dir: Path, *arguments: str, seconds: float = 300, **variables: str) -> tuple[int, str]:
    """Run a command: its exit code and its output."""
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(data_dir, **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    return done.returncode, done.stdout


class Serving:
    """One `manage.py serve` with its own data folder; `output` is its output so far.

    Its database is migrated already, unless `migrated` is false: then the server does it, as at a user's first start.
    """

    program: tuple[str, ...] = ("manage.py",)
    command, runs = "serve", r"Rushes runs at (http://\S+)"

    def __init__(self, data_dir: Path, *arguments: str, migrated: bool = True, **variables: str) -> None:
        if migrated and "DATABASE_URL" not in variables:
            prepare(data_dir)
        variables = {"DEMO_PASSWORD": PASSWORD, "SANDBOX_SPEED": "20", **variables}
        self.data_dir = data_dir
        self.errors_path = data_dir.parent / f"{data_dir.name}.stderr"
        with self.errors_path.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, self.command, "--port", "0", *arguments],
                cwd=ROOT,
                env=environment(data_dir, **variables),
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self.output = ""
        try:
            self.url = self._wait_for(self.runs)
            self._wait_for(r"(Ctrl-C) stops it")
        except BaseException:
            self.end()
            raise
        self.host, _, port = self.url.removeprefix("http://").rpartition(":")
        self.port = int(port)

    def _wait_for(self, pattern: str, seconds: float = START_TIMEOUT) -> str:
        deadline = time.monotonic() + seconds
        assert self.process.stdout is not None
        while not (found := re.search(pattern, self.output)):
            left = max(0.0, deadline - time.monotonic())
            assert select.select([self.process.stdout], [], [], left)[0], f"not in time: {self.output}"
            # Bypass the file object's buffer, which `select` does not see.
            chunk = os.read(self.process.stdout.fileno(), 4096)
            assert chunk, f"the process has ended: {self.output} {self.errors}"
            self.output += chunk.decode()
        return found[1]

    @property
    def errors(self) -> str:
        """Its log: stderr so far."""
        return self.errors_path.read_text()

    @property
    def memory(self) -> float:
        """Resident memory in MiB."""
        return processes.memory(self.process.pid)

    def children(self) -> list[int]:
        """Its child processes."""
        return processes.children(self.process.pid)

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, timeout=DEADLINE, trust_env=False, **options)

    @contextmanager
    def signed_in(self, name: str = "member") -> Iterator[httpx.Client]:
        """A client without JavaScript, signed in as a demo user."""
        with self.client() as client:
            client.get("/sign-in/").raise_for_status()
            answer = client.post(
                "/sign-in/", data={"username": name, "password": PASSWORD, **csrf_token(client)}
            )
            assert answer.status_code == 302, answer.text
            yield client

    def stop(self, signal: int, seconds: float = PROCESS_DEADLINE) -> int:
        """Send the signal and wait: the exit code."""
        self.process.send_signal(signal)
        return self.wait(seconds)

    def wait(self, seconds: float = PROCESS_DEADLINE) -> int:
        assert self.process.stdout is not None
        rest, _ = self.process.communicate(timeout=seconds)
        self.output += rest or ""
        return self.process.returncode

    def end(self) -> None:
        """Stop it if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


class Web(Serving):
    """One `manage.py web`, on the database and the Redis of the tests."""

    command, runs = "web", r"Serving at (http://[\d.:]+\d)"


def csrf_token(client: httpx.Client) -> dict[str, str]:
    """The CSRF form field."""
    return {"csrfmiddlewaretoken": client.cookies["csrftoken"]}


def cookie_header(client: httpx.Client) -> str:
    """The client's cookies as a header, for a socket."""
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.cookies.jar)
