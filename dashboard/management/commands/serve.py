"""`manage.py serve`: the whole product in one process, the composition root of the embedded mode."""

# isort: off
from dashboard.server.run import DRAIN_TIMEOUT, add_address, answer, chosen_port, end

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
from dashboard.server.embedded import Embedded, OneServer
from dashboard.server.sandbox_process import Sandbox, SandboxFailed


class Command(BaseCommand):
    help = "Run Rushes: pages, websockets, webhook receiver and reconciler in one process."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_address(parser)

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        try:
            with OneServer(settings.DATA_DIR):
                self.serve(host, chosen_port(host, port))
        except (SettingsError, SandboxFailed) as error:
            raise CommandError(str(error)) from None

    def serve(self, host: str, port: int) -> None:
        url = settings.PUBLIC_URL or f"http://{host}:{port}"
        with Sandbox() as sandbox:
            call_command("migrate", interactive=False, verbosity=0)
            call_command("collectstatic", interactive=False, verbosity=0)
            sandbox.wait()
            password = demo_users.make_people() if settings.USES_SANDBOX else None
            embedded = Embedded(sandbox, receiver_url=f"http://{host}:{port}")
            answer(
                host,
                port,
                begin=lambda server: self.begin(server, embedded, url, password),
                finish=lambda: embedded.stop(DRAIN_TIMEOUT),
                say=self.say,
            )
            embedded.close()
        end(self.say)

    def begin(
        self, server: Server, embedded: Embedded, url: str, password: demo_users.Password | None
    ) -> None:
        """Called when the event loop exists and is about to run."""
        working = asyncio.get_event_loop().create_task(embedded.run())
        working.add_done_callback(lambda task: self.ended(task, server))
        lines = [f"\n  Rushes runs at {url}"]
        if password is not None:
            lines.append(f"  Sign in as admin or member, {password.to_message()}")
        if settings.USES_SANDBOX:
            lines.append("  No VIDEOGEN_API_KEY is set: a local sandbox generates the media.")
        self.say("\n".join([*lines, "  Ctrl-C stops it.\n\n"]))

    def ended(self, task: asyncio.Task[None], server: Server) -> None:
        """Stop the server with an error if background work failed: without it nothing is submitted or updated."""
        if not task.cancelled() and task.exception() is not None:
            server.failure = f"its background work failed: {task.exception()}"
            server.stop()

    def say(self, words: str) -> None:
        self.stdout.write(words)
        self.stdout.flush()
