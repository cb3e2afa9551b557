"""`manage.py verify_audit`: checks that the audit log is unchanged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from executions.audit import anchors, hash_chain, sealing, verification
from executions.models import Event


class Command(BaseCommand):
    help = "Verify the hash chain of the audit log and report the first broken event (exit code 1)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--head", action="store_true", help="Only print the head, without verifying.")
        parser.add_argument(
            "--write-anchor", type=Path, metavar="FILE", help="Add the verified head to FILE."
        )
        parser.add_argument("--against", type=Path, metavar="FILE", help="Check against the anchors in FILE.")

    def handle(self, *, head: bool, write_anchor: Path | None, against: Path | None, **options: Any) -> None:
        sealing.seal_all()
        if head:
            self.stdout.write(anchors.format_line(hash_chain.head()))
            return
        try:
            known = anchors.read(against) if against else []
        except anchors.AnchorFileError as error:
            raise CommandError(str(error)) from None
        finding = verification.verify_and_store(known)
        verified = finding.head
        if finding.problem:
            raise CommandError(
                f"{finding.problem} Everything up to position {verified.position} is intact.", returncode=1
            )
        if write_anchor:
            try:
                anchors.append(write_anchor, verified)
            except OSError as error:
                raise CommandError(f"{write_anchor} cannot be written: {error.strerror or error}.") from None
        checked = f", and {len(known)} anchors" if known else ""
        unsealed = Event.objects.unsealed().count()
        note = f" {unsealed} newer events are not sealed yet." if unsealed else ""
        self.stdout.write(
            f"The audit log is intact: {verified.position} events{checked}. Head {verified.hash}.{note}"
        )
