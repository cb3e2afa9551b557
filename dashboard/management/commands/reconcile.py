"""`manage.py reconcile`: run the background workers as a separate process (PostgreSQL only; any number of them)."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from dashboard import workers
from executions.core import runtime
from executions.lifecycle import leases

# Seconds that running calls get to finish after SIGTERM or Ctrl-C.
DRAIN_TIMEOUT = 8.0


class Command(BaseCommand):
    help = "Submit queued jobs, poll running ones, and maintain files and the audit log, until stopped. Several may run on one PostgreSQL database."

    def handle(self, **options: Any) -> None:
        if connection.vendor == "sqlite":
            raise CommandError(
                "With SQLite, `manage.py serve` runs the reconciler. A separate one needs PostgreSQL."
            )
        if settings.USES_SANDBOX:
            raise CommandError("VIDEOGEN_API_KEY must be set: the sandbox belongs to `manage.py serve`.")
        asyncio.run(self.work())
        runtime.close_database_threads()
        self.stdout.write("Stopped.")

    async def work(self) -> None:
        loop = asyncio.get_running_loop()
        runtime.attach(loop)
        working = loop.create_task(workers.run())
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, working.cancel)
        self.stdout.write("Reconciling. Ctrl-C stops it.")
        self.stdout.flush()
        try:
            await working
        except asyncio.CancelledError:
            await workers.drain(DRAIN_TIMEOUT)
            with suppress(DatabaseError):  # the leases expire anyway
                await runtime.in_db(leases.release_held)
        finally:
            await runtime.close_client()
