"""`manage.py serve`: the whole product in one process, the composition root of the embedded mode."""

# isort: off
from dashboard.server import Server

# isort: on

import argparse
import asyncio
import errno
import os
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from dashboard import demo
from dashboard.embedded import Embedded, OneServer
from dashboard.environment import SettingsError
from dashboard.ports import free_port
from dashboard.sandboxed import Sandbox, SandboxFailed

# Seconds that running requests and calls get after SIGTERM or Ctrl-C.
DRAIN = 3.0


class Command(BaseCommand):
    help = "Run Rushes: pages, websockets, webhook receiver and reconciler in one process."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="Address to listen on (default: 127.0.0.1).")
        parser.add_argument(
            "--port", type=int, default=settings.PORT, help="0 takes a free one (default: 8000)."
        )

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
            password = demo.make_people() if settings.USES_SANDBOX else None
            embedded = Embedded(sandbox, receiver_url=f"http://{host}:{port}")
            from dashboard.asgi import application

            server = Server(
                application,
                endpoints=[endpoint(host, port)],
                ready_callable=lambda: self.ready(server, embedded, url, password),
                server_name="Rushes",
            )
            server.run()
            if server.failure:
                raise CommandError(f"Rushes cannot listen on {host}:{port}: {server.failure}.")
            embedded.close()
        self.stdout.write("Stopped.")
        self.stdout.flush()
        if threading.active_count() > 1:
            # A view that is still waiting in a thread had its time; Python would wait for it without end.
            os._exit(0)

    def ready(self, server: Server, embedded: Embedded, url: str, password: demo.Password | None) -> None:
        """The loop is there, and about to run."""
        loop = asyncio.get_event_loop()
        stopping: list[asyncio.Task[None]] = []

        def stop() -> None:
            if not stopping:
                self.stdout.write("Stopping: running requests are finished first.")
                self.stdout.flush()
                stopping.append(loop.create_task(self.stop(server, embedded)))

        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop)
        loop.create_task(embedded.run()).add_done_callback(lambda task: self.ended(task, server))
        self.stdout.write(f"\n  Rushes runs at {url}\n")
        if password is not None:
            self.stdout.write(f"  Sign in as admin or member, {password.told()}\n")
        if settings.USES_SANDBOX:
            self.stdout.write("  No VIDEOGEN_API_KEY is set: a local stand-in makes the media.\n")
        self.stdout.write("  Ctrl-C stops it.\n\n")
        self.stdout.flush()

    async def stop(self, server: Server, embedded: Embedded) -> None:
        await asyncio.gather(server.drain(DRAIN), embedded.stop(DRAIN))
        server.stop()

    def ended(self, task: asyncio.Task[None], server: Server) -> None:
        """The background work ended. Without it nothing is sent or learned: stop, and say why."""
        if not task.cancelled() and task.exception() is not None:
            server.failure = f"its background work failed: {task.exception()}"
            server.stop()


def endpoint(host: str, port: int) -> str:
    """As twisted names it; it takes colons for its own."""
    return f"tcp:{port}:interface={host.replace(':', chr(92) + ':')}"


def chosen_port(host: str, port: int) -> int:
    """`port`, or a free one for 0; where it cannot be had, the sentence that says so."""
    try:
        return free_port(host, port)
    except OverflowError:
        raise CommandError(f"PORT must be between 0 and 65535, not {port}.") from None
    except OSError as error:
        in_use = error.errno == errno.EADDRINUSE
        reason = "it is in use. Set PORT to another one" if in_use else error.strerror
        raise CommandError(f"Rushes cannot listen on {host}:{port}: {reason}.") from None
