"""`manage.py web`: one of several web processes, beside any number of `reconcile` processes."""

# isort: off
from dashboard.server.run import add_address, serve_until_stopped, resolve_port, report_stop

# isort: on

import argparse
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from executions.core import runtime


class Command(BaseCommand):
    help = "Serve pages, WebSockets and the webhook receiver, without background work. Several may run on one PostgreSQL database."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        add_address(parser)

    def handle(self, *, host: str, port: int, **options: Any) -> None:
        if connection.vendor == "sqlite" or not settings.REDIS_URL:
            raise CommandError(
                "Several processes need DATABASE_URL and REDIS_URL. Without them, use `manage.py serve`."
            )
        if settings.USES_SANDBOX:
            raise CommandError("VIDEOGEN_API_KEY must be set: the sandbox belongs to `manage.py serve`.")
        port = resolve_port(host, port)
        serve_until_stopped(
            host,
            port,
            begin=lambda server: self.report(f"Serving at http://{host}:{port}. Ctrl-C stops it."),
            finish=no_background_work,
            report=self.report,
        )
        runtime.close_database_threads()
        report_stop(self.report)

    def report(self, text: str) -> None:
        self.stdout.write(text)
        self.stdout.flush()


async def no_background_work() -> None:
    """There is no background work to finish."""
