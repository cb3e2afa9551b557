"""Start Rushes and the sandbox in a temporary folder, on loopback. They stop when their context ends."""

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
# Only these are inherited: the benchmark configures the product, not the shell.
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE")
READY_TIMEOUT = 30.0  # seconds until a process must respond
STOP_TIMEOUT = 8.0  # seconds between SIGTERM and SIGKILL


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
    """A process whose output goes to `log`. It stops, with its children, when the context ends."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment, cwd=folder, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_answered(
    url: str,
    process: subprocess.Popen[bytes],
    log: Path,
    pause: float = 0.05,
    timeout: float = READY_TIMEOUT,
) -> None:
    """Wait until a GET of `url` returns 200. Raises RuntimeError with the end of the process's log."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(pause)
    raise RuntimeError(f"{url} did not respond: {log.read_text(errors='replace')[-800:]}")


# --- the sandbox ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sandbox:
    url: str
    key: str

    def truth(self) -> list[dict[str, Any]]:
        """Every job as the sandbox recorded it; times are Unix seconds."""
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
    """What the seeding wrote. `sessions`: session keys by username; `running`: [(our id, VideoGen's id)];
    `maker`: id of the person who started the jobs; `batch`: id of a finished batch."""

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
        """Resident memory of the process in bytes."""
        return self._status("VmRSS:")

    def peak(self) -> int:
        """Maximum resident memory in bytes since the start or the last `reset_peak`."""
        return self._status("VmHWM:")

    def reset_peak(self) -> None:
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
    """`manage.py serve` with seeded people and jobs. Without `service` there is no API, and no call is due."""
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
        seeding, env=environment, cwd=ROOT, check=True, stdout=subprocess.PIPE, timeout=4 * READY_TIMEOUT
    )
    seeded = json.loads(written.stdout)
    log = folder / "serve.log"
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    with running(command, environment, log) as process:
        url = f"http://127.0.0.1:{port}"
        wait_until_answered(f"{url}/healthz", process, log)
        jobs = [(own, remote) for own, remote in seeded["running"]]
        written_rows = Seeded(
            seeded["sessions"], seeded["maker"], seeded["batch"], running=jobs, finished=seeded["finished"]
        )
        yield Rushes(url, secret, process.pid, written_rows)
