"""Fills the database with a long history, for measuring and for trying things out."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.utils import timezone

from benchmarks.seed_history import bulk_writer, jobs
from executions.models import Batch, Execution


class Command(BaseCommand):
    help = "Makes up jobs that have ended, with their events. The same --seed makes the same jobs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--executions", type=int, default=10_000, help="how many jobs (default 10,000)")
        parser.add_argument("--people", type=int, default=24, help="whose jobs they are (default 24)")
        parser.add_argument("--days", type=int, default=400, help="how far they reach back (default 400)")
        parser.add_argument("--seed", type=int, default=1, help="another number makes another history")
        parser.add_argument(
            "--yes", action="store_true", help="even where there is a history already, or a real account"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        count, people, days = options["executions"], options["people"], options["days"]
        if not (0 < count <= 100_000_000 and 0 < people <= 10_000 and 0 < days <= 36_500):
            raise CommandError("There must be at least one job, one person and one day.")
        if not options["yes"]:
            self._refuse_real_data()
        began = time.monotonic()
        until = timezone.now()
        with bulk_writer.bare():
            chunks = jobs.rows(
                count,
                seed=options["seed"],
                since=until - timedelta(days=days),
                until=until,
                people=self._people(people),
                batches=self._batches(count, days),
            )
            bulk_writer.write(jobs.COLUMNS, chunks)
        took = time.monotonic() - began
        self.stdout.write(
            f"{count:,} jobs in {took:.0f} s: {count / took:,.0f} jobs/s on {connection.vendor}."
        )

    def _refuse_real_data(self) -> None:
        """Made-up jobs among real ones can never be told apart or taken out again."""
        if Execution.objects.exists():
            raise CommandError(
                "This database has a history already, and made-up jobs cannot be taken out again. "
                "Use another DATA_DIR or DATABASE_URL, or say --yes."
            )
        if not settings.USES_SANDBOX:
            raise CommandError(
                "VIDEOGEN_API_KEY is set, so this database is meant for real work. "
                "Use another DATA_DIR or DATABASE_URL, or say --yes."
            )

    def _people(self, count: int) -> list[int]:
        model = get_user_model()
        names = [f"member{number:02}" for number in range(1, count + 1)]
        known = dict(model.objects.filter(username__in=names).values_list("username", "pk"))
        for name in names:
            if name not in known:
                person = model(username=name)
                person.set_unusable_password()
                person.save()
                known[name] = person.pk
        return [known[name] for name in names]

    def _batches(self, count: int, days: int) -> list[str]:
        long_ago = timezone.now() - timedelta(days=days)
        made = [
            Batch(name=f"Storyboard {number}", tool="generate-image", size=jobs.BATCH, sends_at=long_ago)
            for number in range(1, count // (jobs.BATCH * 10) + 2)
        ]
        Batch.objects.bulk_create(made, 500)
        return [each.pk.hex for each in made]
