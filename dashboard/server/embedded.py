"""The background work of `serve`: workers in the server's event loop, and the webhook endpoint at the sandbox."""

from __future__ import annotations

import asyncio
import fcntl
import logging
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from django.db import DatabaseError, connection

from dashboard import workers
from dashboard.config.environment import SettingsError
from dashboard.http.paths import RECEIVER_PATH
from dashboard.server.sandbox_process import Sandbox
from executions.copies import requests as copy_requests
from executions.core import runtime
from executions.files import uploads
from executions.lifecycle import leases
from executions.videogen import VideoGenError
from executions.webhooks import endpoints

logger = logging.getLogger(__name__)


class SingleInstanceLock:
    """A lock file, so that only one `serve` uses a data folder, and only one an SQLite database."""

    def __init__(self, folder: Path) -> None:
        self.locks = [(folder / "serve.lock", f"runs in {folder}. Set DATA_DIR to another folder.")]
        if connection.vendor == "sqlite":
            database = Path(str(connection.settings_dict["NAME"]))
            message = f"uses {database}. Set DATABASE_URL to another one."
            self.locks.append((database.with_name(f"{database.name}.lock"), message))
        self.files: list[IO[str]] = []

    def __enter__(self) -> Self:
        for path, message in self.locks:
            file = path.open("w")
            self.files.append(file)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._release()
                raise SettingsError(f"Another Rushes already {message}") from None
        return self

    def _release(self) -> None:
        for file in self.files:
            file.close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release()


class Embedded:
    def __init__(self, sandbox: Sandbox, receiver_url: str) -> None:
        self.sandbox = sandbox
        self.receiver_url = f"{receiver_url}/{RECEIVER_PATH}"
        self._task: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Run until stopped."""
        runtime.attach(asyncio.get_running_loop())

        if connection.vendor == "sqlite":
            # No other process uses this database, so all leases are stale.
            await runtime.in_db(leases.release_all)
            await runtime.in_db(uploads.fail_abandoned, timedelta(0))
            await runtime.in_db(copy_requests.release_all)
        if self.sandbox.url:
            runtime.use_account(self.sandbox.api_key, self.sandbox.url)
            try:
                await endpoints.ensure(self.receiver_url)
            except VideoGenError as error:
                logger.warning(
                    "Could not register the webhook endpoint; updates arrive by polling: %s", error
                )
        self._task = asyncio.current_task()
        await workers.run()

    async def stop(self, seconds: float) -> None:
        """Start no new work, and let running calls finish."""
        if self._task is not None:
            self._task.cancel()
        await workers.drain(seconds)

    def close(self) -> None:
        """After the loop has ended."""
        try:
            leases.release_held()
        except DatabaseError as error:
            logger.warning("Could not release leases; they will expire: %s", error)
        connection.close()
        runtime.close_database_threads()
