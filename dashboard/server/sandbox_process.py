"""The sandbox as a child process of `serve`: started, waited for, and ended with it."""

from __future__ import annotations

import secrets
import select
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from django.conf import settings

from dashboard.server.ports import free_port
from executions.models import File

READY = "sandbox ready at "
PATIENCE = 20.0  # seconds until it must be ready
LAST_WORDS = 2.0  # seconds that it gets to end


class SandboxFailed(Exception):
    """The sandbox did not start; the message says why."""


class Sandbox:
    """The running sandbox; empty where a real key is configured."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.url = ""
        self.api_key = ""
        self._has_moved = False

    def __enter__(self) -> Self:
        if settings.USES_SANDBOX:
            self.api_key = f"sandbox-{secrets.token_hex(16)}"
            self.process = self._start()
        return self

    def wait(self) -> None:
        """Until it is ready; it starts while the database is made ready, which has to be by now. Raises SandboxFailed."""
        if self.process is None:
            return
        self.url = self._ready_url(self.process)
        if self._has_moved:
            # None of the old addresses leads anywhere now; they are signed anew when somebody asks.
            File.objects.forget_urls()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _start(self) -> subprocess.Popen[str]:
        command = [
            *(sys.executable, "-m", "sandbox", "--port", str(self._port()), "--with-parent"),
            *("--api-key", self.api_key, "--speed", f"{settings.SANDBOX_SPEED:g}"),
            *("--data-dir", str(settings.DATA_DIR / "sandbox")),
        ]
        # Ctrl-C goes to the whole terminal group: the sandbox must not end before the work with it is done.
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=settings.BASE_DIR, start_new_session=True
        )

    def _port(self) -> int:
        """The port of last time, if it is free: signed addresses that pages and rows still hold stay good."""
        remembered = settings.DATA_DIR / "sandbox.port"
        try:
            port = free_port("127.0.0.1", int(remembered.read_text()))
        except (OSError, ValueError, OverflowError):
            port, self._has_moved = free_port("127.0.0.1", 0), True
        remembered.write_text(str(port))
        return port

    def _ready_url(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([process.stdout], [], [], left)[0]:
                break
            line = process.stdout.readline()
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
            if not line:
                raise SandboxFailed(f"The sandbox ended with code {process.wait()} instead of starting.")
        raise SandboxFailed(f"The sandbox was not ready within {PATIENCE:.0f} seconds.")

    def _end(self) -> None:
        if self.process is None:
            return
        if self.process.stdout is not None:
            self.process.stdout.close()
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(LAST_WORDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
