"""`manage.py queue`: pause and resume the queue."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from executions import policy
from executions.lifecycle import queue_state
from executions.models import Execution


class Command(BaseCommand):
    help = "Pause or resume the whole queue, or show its status. Jobs already submitted continue."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("act", choices=["status", "pause", "resume"])

    def handle(self, *, act: str, **options: Any) -> None:
        if act == "pause":
            done = queue_state.pause_all(actor=policy.SYSTEM)
            self.stdout.write("Paused." if done else "Already paused.")
        elif act == "resume":
            done = queue_state.resume_all(actor=policy.SYSTEM)
            self.stdout.write("Resumed." if done else "Not paused.")
        else:
            state = queue_state.state()
            status = f"paused since {state.paused_at:%Y-%m-%d %H:%M} UTC" if state.paused_at else "open"
            self.stdout.write(
                f"The queue is {status}; {Execution.objects.send_queue().count():,} jobs are queued."
            )
