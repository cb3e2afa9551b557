"""Fills the database with a long history, for benchmarks and experiments."""

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
    help = "Create finished jobs and their events. The same --seed creates the same jobs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--executions", type=int, default=10_000, help="number of jobs (default 10,000)")
        parser.add_argument(
            "--people", type=int, default=24, help="number of people who own them (default 24)"
        )
        parser.add_argument(
            "--days", type=int, default=400, help="age of the oldest job in days (default 400)"
        )
        parser.add_argument("--seed", type=int, default=1, help="seed of the random numbers (default 1)")
        parser.add_argument(
            "--yes", action="store_true", help="run even if there are jobs, or a real account"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        count, people, days = options["executions"], options["people"], options["days"]
        if not (0 < count <= 100_000_000 and 0 < people <= 10_000 and 0 < days <= 36_500):
            raise CommandError("There must be at least one job, one person and one day.")
        if not options["yes"]:
            self._refuse_real_data()
        began = time.monotonic()
        until = timezone.now()
        with bulk_writer.without_indexes():
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
        """Seeded jobs cannot be distinguished from real ones, or removed."""
        if Execution.objects.exists():
            raise CommandError(
                "This database has jobs already, and seeded jobs cannot be removed. "
                "Use another DATA_DIR or DATABASE_URL, or pass --yes."
            )
        if not settings.USES_SANDBOX:
            raise CommandError(
                "VIDEOGEN_API_KEY is set, so this database is for real jobs. "
                "Use another DATA_DIR or DATABASE_URL, or pass --yes."
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
            Batch(name=f"Storyboard {number}", tool="generate-image", size=jobs.BATCH_SIZE, sends_at=long_ago)
            for number in range(1, count // (jobs.BATCH_SIZE * 10) + 2)
        ]
        Batch.objects.bulk_create(made, 500)
        return [each.pk.hex for each in made]
