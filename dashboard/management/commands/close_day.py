"""`manage.py close_day`: reconcile a day with the account's list."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.http.params import as_day
from executions import policy
from executions.core import runtime
from executions.models import DailyReconciliation
from executions.sync import daily_reconciliation


class Command(BaseCommand):
    help = "Compare the jobs of a day (UTC) with the account's list, store the outcome and print every difference."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--day", default="", help="YYYY-MM-DD. Default: yesterday.")

    def handle(self, *, day: str, **options: Any) -> None:
        if settings.USES_SANDBOX:
            raise CommandError("VIDEOGEN_API_KEY must be set: the sandbox belongs to `manage.py serve`.")
        wanted = as_day(day) if day else datetime.now(UTC).date() - timedelta(days=1)
        if wanted is None:
            raise CommandError(f"--day must be a date such as 2026-11-24, not {day!r}.")
        try:
            row = asyncio.run(self.run(wanted))
        except daily_reconciliation.CannotReconcile as error:
            raise CommandError(str(error)) from None
        finally:
            runtime.close_database_threads()
        if row.reconciled_at is None:
            raise CommandError(row.problem)
        self.print_report(row)

    async def run(self, day: date) -> DailyReconciliation:
        runtime.attach(asyncio.get_running_loop())
        try:
            return await daily_reconciliation.reconcile_day(day, actor=policy.SYSTEM)
        finally:
            await runtime.close_client()
            runtime.detach()

    def print_report(self, row: DailyReconciliation) -> None:
        self.stdout.write(f"{row}: {daily_reconciliation.summary(row)}")
        for each in daily_reconciliation.differences_of(row):
            name = each.remote_id or each.job
            states = " / ".join(
                filter(None, (each.here and f"Rushes: {each.here}", each.there and f"VideoGen: {each.there}"))
            )
            self.stdout.write(f"  {each.kind}: {name} ({each.tool}; {states}). {each.advice}")
