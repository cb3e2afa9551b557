"""The sandbox as a child process of `serve`."""

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
START_TIMEOUT = 20.0  # seconds
STOP_TIMEOUT = 2.0  # seconds


class SandboxFailed(Exception):
    """The sandbox did not start; the message says why."""


class Sandbox:
    """The running sandbox; does nothing if a real key is configured."""

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
        """Wait until it is ready. It starts while the database is being migrated, so call this afterwards.
        Raises SandboxFailed."""
        if self.process is None:
            return
        self.url = self._ready_url(self.process)
        if self._has_moved:
            # The port has changed, so all stored addresses are invalid; they are signed again on demand.
            File.objects.clear_signed_urls()

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
        # A new session: Ctrl-C signals the whole process group, but the sandbox must outlive the work that uses it.
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, cwd=settings.BASE_DIR, start_new_session=True
        )

    def _port(self) -> int:
        """The previous port if it is free, so that stored signed addresses stay valid."""
        port_file = settings.DATA_DIR / "sandbox.port"
        try:
            port = free_port("127.0.0.1", int(port_file.read_text()))
        except (OSError, ValueError, OverflowError):
            port, self._has_moved = free_port("127.0.0.1", 0), True
        port_file.write_text(str(port))
        return port

    def _ready_url(self, process: subprocess.Popen[str]) -> str:
        assert process.stdout is not None
        deadline = time.monotonic() + START_TIMEOUT
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([process.stdout], [], [], left)[0]:
                break
            line = process.stdout.readline()
            if line.startswith(READY):
                return line.removeprefix(READY).strip()
            if not line:
                raise SandboxFailed(f"The sandbox exited with code {process.wait()} while starting.")
        raise SandboxFailed(f"The sandbox was not ready within {START_TIMEOUT:.0f} seconds.")

    def _end(self) -> None:
        if self.process is None:
            return
        if self.process.stdout is not None:
            self.process.stdout.close()
        if self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
