"""`manage.py copies`: manage the copies of files."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from executions import policy
from executions.copies import requests as copy_requests
from executions.copies import verify as verify_copies
from executions.models import CopyRequest, File


class Command(BaseCommand):
    help = "Count the copies of files, verify their checksums, or retry failed ones."

    def add_arguments(self, parser: CommandParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("status", help="Show how many copies are stored, in progress, and failed.")
        acts.add_parser(
            "verify", help="Read each copy and compare its checksum; exits with 1 if one does not match."
        )
        acts.add_parser("again", help="Retry failed copies now.")

    def handle(self, *, act: str, **options: Any) -> None:
        if act == "verify":
            self.verify()
        elif act == "again":
            self.stdout.write(f"{copy_requests.retry_failed(policy.SYSTEM)} copies will be retried.")
        else:
            failed = CopyRequest.objects.failed().count()
            self.stdout.write(f"{File.objects.with_copy().count()} stored")
            self.stdout.write(f"{CopyRequest.objects.count() - failed} in progress")
            self.stdout.write(f"{failed} failed")

    def verify(self) -> None:
        count = broken = 0
        for file, problem in verify_copies.verify():
            count += 1
            if problem:
                broken += 1
                self.stderr.write(f"{file.pk}  {file.copy_path}: {problem}")
        if broken:
            raise CommandError(f"{broken} of {count} copies are damaged.")
        self.stdout.write(f"{count} copies are intact.")
