"""`manage.py web`: one of several processes that answer people and VideoGen, beside any number of `reconcile`."""

# isort: off
from dashboard.server import Server

# isort: on

import argparse
import asyncio
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from dashboard.management.commands.serve import DRAIN, chosen_port, endpoint
from executions import runtime


class Command(BaseCommand):
    help = "Run pages, websockets and the webhook receiver, without the work in the background. Several may run on one PostgreSQL database."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (default: 127.0.0.1).")
        parser.add_argument(
            "--port", type=int, default=settings.PORT, help="0 takes a free one (default: 8000)."
        )

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        if connection.vendor == "sqlite" or not settings.REDIS_URL:
            raise CommandError(
                "Several processes need DATABASE_URL and REDIS_URL. Without them, `manage.py serve` is all in one."
            )
        if settings.USES_SANDBOX:
            raise CommandError("VIDEOGEN_API_KEY must be set: the sandbox belongs to `manage.py serve`.")
        from dashboard.asgi import application

        port = chosen_port(host, port)
        server = Server(
            application,
            endpoints=[endpoint(host, port)],
            ready_callable=lambda: self.ready(server, f"http://{host}:{port}"),
            server_name="Rushes",
        )
        server.run()
        if server.failure:
            raise CommandError(f"Rushes cannot listen on {host}:{port}: {server.failure}.")
        runtime.close_database_threads()
        self.stdout.write("Stopped.")
        self.stdout.flush()
        if threading.active_count() > 1:
            # A view that is still waiting in a thread had its time; Python would wait for it without end.
            os._exit(0)

    def ready(self, server: Server, url: str) -> None:
        """The loop is there, and about to run."""
        loop = asyncio.get_event_loop()
        stopping: list[asyncio.Task[None]] = []

        def stop() -> None:
            if not stopping:
                self.stdout.write("Stopping: running requests are finished first.")
                self.stdout.flush()
                stopping.append(loop.create_task(self.stop(server)))

        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop)
        self.stdout.write(f"Answering at {url}. Ctrl-C stops it.")
        self.stdout.flush()

    async def stop(self, server: Server) -> None:
        await server.drain(DRAIN)
        await runtime.close_client()
        server.stop()
