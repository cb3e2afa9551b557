"""The processes of one Rushes site and its sandbox. Their addresses survive a kill and a restart."""

from __future__ import annotations

import secrets
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx

from benchmarks.cluster import Cluster
from benchmarks.product import ROOT, free_port, plain_environment, wait_until_answered

PASSWORD = "soak only, never typed"
SPEED = 20
START_TIMEOUT = 90.0  # seconds, generous for a busy machine


class Program:
    """A process that can be killed and started again. Its log is appended to."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self.log = folder / f"{name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> None:
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, *self._command],
                env=self._environment,
                cwd=ROOT,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.starts += 1

    def kill(self) -> None:
        """Kill the process as `kill -9` does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Stop the process with SIGTERM, after 30 seconds with SIGKILL. Returns its exit code."""
        if self.process is None:
            return 0
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


class Server(Program):
    def __init__(self, name: str, environment: dict[str, str], folder: Path) -> None:
        self.port = free_port()
        environment = environment | {"DATA_DIR": str(folder / name)}
        super().__init__(name, ["manage.py", "serve", "--port", str(self.port)], environment, folder)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        super().start()
        assert self.process is not None
        wait_until_answered(f"{self.url}/healthz", self.process, self.log, timeout=START_TIMEOUT)


class Site:
    """One `serve` on SQLite; two of them and a separate reconciler on PostgreSQL."""

    def __init__(self, folder: Path, cluster: Cluster | None) -> None:
        self.folder = folder
        self.cluster = cluster
        self.database = cluster.url() if cluster else f"sqlite:///{folder}/rushes.sqlite3"
        self.key = f"soak-{secrets.token_hex(8)}"
        sandbox_port = free_port()
        self.sandbox_url = f"http://127.0.0.1:{sandbox_port}"
        command = ["-m", "sandbox", "--port", str(sandbox_port), "--api-key", self.key]
        command += ["--data-dir", str(folder / "sandbox"), "--speed", str(SPEED), "--concurrency", "4"]
        self.sandbox = Program("sandbox", command, plain_environment(), folder)
        self.environment = plain_environment(
            DATABASE_URL=self.database,
            SECRET_KEY=secrets.token_urlsafe(50),
            ALLOWED_HOSTS="127.0.0.1",
            PUBLIC_URL="http://127.0.0.1:8000",
            VIDEOGEN_API_KEY=self.key,
            VIDEOGEN_BASE_URL=self.sandbox_url,
            VIDEOGEN_API_ERA="2",
        )
        names = ("web-1", "web-2") if cluster else ("web",)
        self.servers = [Server(name, self.environment, folder) for name in names]
        self.reconcilers = []
        if cluster:
            environment = self.environment | {"DATA_DIR": str(folder / "reconcile")}
            self.reconcilers = [Program("reconcile", ["manage.py", "reconcile"], environment, folder)]

    @property
    def victims(self) -> list[Program]:
        """The processes to kill in turn."""
        return [self.servers[0], *self.reconcilers, *self.servers[1:]]

    @property
    def programs(self) -> list[Program]:
        return [*self.servers, *self.reconcilers]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.callback(self.end)
            self.sandbox.start()
            assert self.sandbox.process is not None
            wait_until_answered(
                f"{self.sandbox_url}/sandbox/faults",
                self.sandbox.process,
                self.sandbox.log,
                timeout=START_TIMEOUT,
            )
            self.manage("migrate", "--verbosity", "0")
            self.manage("createsuperuser", "--noinput", "--username", "soak", "--email", "soak@example.org")
            for program in self.programs:
                program.start()
            for server in self.servers:
                self.manage("webhooks", "register", "--url", f"{server.url}/webhooks/videogen/")
            stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self.end()

    def end(self) -> None:
        for program in [*self.programs, self.sandbox]:
            program.end()

    def manage(self, *arguments: str) -> None:
        environment = self.environment | {
            "DATA_DIR": str(self.folder / "manage"),
            "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
        }
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]} failed: {done.stdout}{done.stderr}")

    def restart_database(self) -> None:
        """Crash the database server and start it again."""
        assert self.cluster is not None
        self.cluster.stop("immediate")
        self.cluster.start()

    def control(self, method: str, path: str, body: Any = None) -> Any:
        """Call the sandbox's control interface."""
        answer = httpx.request(method, f"{self.sandbox_url}/sandbox/{path}", json=body, timeout=60)
        return answer.raise_for_status().json()

    def voice(self) -> str:
        """The id of a voice that text-to-speech accepts."""
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.get(f"{self.sandbox_url}/v1/resources/tts-voices", headers=headers, timeout=60)
        voices = answer.raise_for_status().json()["ttsVoices"]
        return next(each["voiceId"] for each in voices if each.get("supportsDirectToolExecution"))

    def tracebacks(self) -> list[str]:
        """The last line of each traceback in the logs of Rushes' processes."""
        return [line for program in self.programs for line in _last_lines(program.log)]


def _last_lines(log: Path) -> list[str]:
    found, inside = [], False
    for line in log.read_text(errors="replace").splitlines():
        if line.startswith("Traceback "):
            inside = True
        elif inside and line and not line.startswith((" ", "\t")):
            found.append(line[:200])
            inside = False
    return found
