"""`manage.py rollup`: update, rebuild or check the counts behind Insights."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from executions.core import database
from executions.models import Event, Rollup
from executions.models.event import ActKind
from executions.stats import rollup
from executions.stats import verify as verify_rollup


class Command(BaseCommand):
    help = "Update the counts behind Insights. `serve` and `reconcile` do this automatically."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--rebuild", action="store_true", help="delete all counts and count every event again"
        )
        parser.add_argument(
            "--force", action="store_true", help="rebuild even if pruned events can no longer be counted"
        )
        parser.add_argument("--check", action="store_true", help="compare the counts with the events")

    def handle(self, *, rebuild: bool, check: bool, force: bool = False, **options: Any) -> None:
        if check:
            self._check()
            return
        began = time.monotonic()
        if rebuild:
            if not force and Event.objects.of_kind(ActKind.PRUNED).exists():
                raise CommandError(
                    "Old events were pruned and remain only in the counts; a rebuild would lose them. Use --force to rebuild anyway."
                )
            rollup.clear()
        before = rollup.state().event_id
        while rollup.advance(rollup.LONG_STEP):
            pass
        after = rollup.state().event_id
        if after > before:
            # The planner's statistics are outdated after many inserts.
            database.analyze(Rollup)
        events = Event.objects.between(before, after).count()
        self.stdout.write(f"{events:,} events counted in {time.monotonic() - began:.1f} s.")

    def _check(self) -> None:
        since, wrong = verify_rollup.first_whole_day(), verify_rollup.differences()
        if since is None:
            if wrong:
                raise CommandError(" ".join([*wrong, "`manage.py rollup --rebuild` fixes this."]))
            self.stdout.write("The counts agree with the events.")
            return
        scope = f"Events were pruned: only counts of jobs started since {since:%-d %B %Y} can be checked."
        if wrong:
            # A rebuild cannot fix this, because pruned events cannot be counted again.
            raise CommandError(" ".join([scope, *wrong]))
        self.stdout.write(f"{scope} These agree with the events.")
