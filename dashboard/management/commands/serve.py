"""`manage.py serve`: the whole product in one process, the composition root of the embedded mode."""

# isort: off
from dashboard.server.run import DRAIN_TIMEOUT, add_address, serve_until_stopped, resolve_port, report_stop

# isort: on

import argparse
import asyncio
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from dashboard.config import demo_users
from dashboard.config.environment import SettingsError
from dashboard.server.daphne_server import Server
from dashboard.server.embedded import Embedded, SingleInstanceLock
from dashboard.server.sandbox_process import Sandbox, SandboxFailed


class Command(BaseCommand):
    help = "Run Rushes: pages, websockets, webhook receiver and reconciler in one process."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_address(parser)

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        try:
            with SingleInstanceLock(settings.DATA_DIR):
                self.serve(host, resolve_port(host, port))
        except (SettingsError, SandboxFailed) as error:
            raise CommandError(str(error)) from None

    def serve(self, host: str, port: int) -> None:
        url = settings.PUBLIC_URL or f"http://{host}:{port}"
        with Sandbox() as sandbox:
            call_command("migrate", interactive=False, verbosity=0)
            call_command("collectstatic", interactive=False, verbosity=0)
            sandbox.wait()
            password = demo_users.create_missing() if settings.USES_SANDBOX else None
            embedded = Embedded(sandbox, receiver_url=f"http://{host}:{port}")
            serve_until_stopped(
                host,
                port,
                begin=lambda server: self.begin(server, embedded, url, password),
                finish=lambda: embedded.stop(DRAIN_TIMEOUT),
                report=self.report,
            )
            embedded.close()
        report_stop(self.report)

    def begin(
        self, server: Server, embedded: Embedded, url: str, password: demo_users.Password | None
    ) -> None:
        """Called when the event loop exists and is about to run."""
        task = asyncio.get_event_loop().create_task(embedded.run())
        task.add_done_callback(lambda task: self.stop_on_failure(task, server))
        lines = [f"\n  Rushes runs at {url}"]
        if password is not None:
            lines.append(f"  Sign in as admin or member, {password.to_message()}")
        if settings.USES_SANDBOX:
            lines.append("  No VIDEOGEN_API_KEY is set: a local sandbox generates the media.")
        self.report("\n".join([*lines, "  Ctrl-C stops it.\n\n"]))

    def stop_on_failure(self, task: asyncio.Task[None], server: Server) -> None:
        """Stop the server with an error if background work failed: without it nothing is submitted or updated."""
        if not task.cancelled() and task.exception() is not None:
            server.failure = f"its background work failed: {task.exception()}"
            server.stop()

    def report(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()
