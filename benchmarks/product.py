"""Starts what is measured: Rushes' own processes, in a temporary folder, on loopback, ended with their context."""

from __future__ import annotations

import base64
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
# What configures the product comes from the benchmark, never from the shell.
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
PATIENCE = 30.0  # seconds until a process must be ready
LAST_WORDS = 8.0  # seconds that it gets to end


def new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plain_environment(**more: str) -> dict[str, str]:
    passed = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith(("UV_", "PIP_"))
    }
    return passed | more


@contextmanager
def running(
    command: list[str], environment: Mapping[str, str], log: Path, folder: Path = ROOT
) -> Iterator[subprocess.Popen[bytes]]:
    """A process whose output goes to `log`; it and all that it started are gone when the context ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_answered(
    url: str, process: subprocess.Popen[bytes], log: Path, pause: float = 0.05, patience: float = PATIENCE
) -> None:
    """Until a GET of `url` is answered with 200. Raises RuntimeError with the process's last words."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(pause)
    raise RuntimeError(f"{url} did not answer: {log.read_text(errors='replace')[-800:]}")


# --- the stand-in -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sandbox:
    url: str
    key: str

    def truth(self) -> list[dict[str, Any]]:
        """Every job there as it really is; times are Unix seconds."""
        return httpx.get(f"{self.url}/sandbox/truth").raise_for_status().json()["executions"]


@contextmanager
def sandbox(folder: Path, speed: float) -> Iterator[Sandbox]:
    port, key = free_port(), f"benchmark-{secrets.token_hex(8)}"
    command = [sys.executable, "-m", "sandbox", "--port", str(port), "--api-key", key]
    command += ["--data-dir", str(folder / "sandbox"), "--with-parent", "--concurrency", "8"]
    command += ["--speed", str(speed)]
    log = folder / "sandbox.log"
    with running(command, plain_environment(), log) as process:
        wait_until_answered(f"http://127.0.0.1:{port}/sandbox/faults", process, log)
        yield Sandbox(f"http://127.0.0.1:{port}", key)


# --- the dashboard ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seeded:
    """What the seeding wrote. `sessions`: session keys by the person's name; `running`: [(our id, VideoGen's)];
    `maker`: the id of whoever started the jobs; `batch`: that of a batch that has ended."""

    sessions: dict[str, str]
    maker: int
    batch: str
    running: list[tuple[str, str]]
    finished: list[str] = field(repr=False)


@dataclass(frozen=True)
class Rushes:
    url: str
    secret: str
    pid: int
    seeded: Seeded

    @property
    def host(self) -> tuple[str, int]:
        name, port = self.url.removeprefix("http://").split(":")
        return name, int(port)

    def cookie(self, person: str) -> str:
        return f"sessionid={self.seeded.sessions[person]}"

    def memory(self) -> int:
        """Bytes that the process holds in memory."""
        return self._status("VmRSS:")

    def peak(self) -> int:
        """The most bytes that it held in memory since its start, or since `forget_peak`."""
        return self._status("VmHWM:")

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def _status(self, name: str) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(name))
        return int(line.split()[1]) * 1024


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rushes-benchmark-") as name:
        yield Path(name)


@contextmanager
def rushes(
    folder: Path,
    *,
    running_jobs: int = 0,
    finished_jobs: int = 0,
    files: int = 0,
    batch: int = 0,
    media: str = "",
    settings: str = "dashboard.settings",
    service: Sandbox | None = None,
    port: int | None = None,
    secret: str = "",
) -> Iterator[Rushes]:
    """`manage.py serve` with seeded people and jobs. Without `service` nobody answers its calls, and none is due."""
    port, secret = port or free_port(), secret or new_secret()
    environment = plain_environment(
        DATA_DIR=str(folder / "data"),
        DJANGO_SETTINGS_MODULE=settings,
        VIDEOGEN_API_KEY=service.key if service else "benchmark",
        VIDEOGEN_BASE_URL=service.url if service else f"http://127.0.0.1:{free_port()}",
        VIDEOGEN_WEBHOOK_SECRET=secret,
    )
    seeding = [sys.executable, "-m", "benchmarks.seed"]
    seeding += ["--running", str(running_jobs), "--finished", str(finished_jobs)]
    seeding += ["--files", str(files), "--batch", str(batch), "--media", media]
    written = subprocess.run(
        seeding, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=4 * PATIENCE
    )
    seeded = json.loads(written.stdout)
    log = folder / "serve.log"
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with running(command, environment, log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until_answered(f"{url}/healthz", process, log)
        jobs = [(own, remote) for own, remote in seeded["running"]]
        told = Seeded(
            seeded["sessions"], seeded["maker"], seeded["batch"], running=jobs, finished=seeded["finished"]
        )
        yield Rushes(url, secret, process.pid, told)
