"""`manage.py copies`: the copies of files in our own storage, for operators."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from executions import policy
from executions.copies import requests as copy_requests
from executions.copies import verify as verify_copies
from executions.models import File, Keeping


class Command(BaseCommand):
    help = (
        "Count the copies of files, read them all again to verify their checksums, or try again what failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("status", help="How many there are, are on their way, and could not be made.")
        acts.add_parser(
            "verify", help="Read each copy and compare it with its checksum; 1 if one is not whole."
        )
        acts.add_parser("again", help="Try again now what failed.")

    def handle(self, *, act: str, **options: Any) -> None:
        if act == "verify":
            self.verify()
        elif act == "again":
            self.stdout.write(f"{copy_requests.ask_again(policy.SYSTEM)} are tried again.")
        else:
            given_up = Keeping.objects.filter(due_at=None).count()
            self.stdout.write(f"{File.objects.filter(kept_at__isnull=False).count()} kept")
            self.stdout.write(f"{Keeping.objects.count() - given_up} on their way")
            self.stdout.write(f"{given_up} not made")

    def verify(self) -> None:
        count = broken = 0
        for file, problem in verify_copies.verify():
            count += 1
            if problem:
                broken += 1
                self.stderr.write(f"{file.pk}  {file.kept_path}: {problem}")
        if broken:
            raise CommandError(f"{broken} of {count} copies are not whole.")
        self.stdout.write(f"{count} copies are whole.")
