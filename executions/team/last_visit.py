"""A person's last visit, and their jobs that finished since."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F
from django.utils import timezone

from executions import policy
from executions.models import Execution, LastVisit
from executions.policy import Action, Actor

# Finished jobs that are read; if there are more, the latest.
MAX_ROWS = 500


def last(person_id: int) -> LastVisit:
    """The person's last visit. For a new person it is the current time: they have missed nothing."""
    now = timezone.now()
    found = LastVisit.objects.filter(pk=person_id).first()
    return (
        found
        or LastVisit.objects.get_or_create(pk=person_id, defaults={"seen_until": now, "summary_since": now})[
            0
        ]
    )


def mark_seen(actor: Actor, until: datetime) -> bool:
    """Mark jobs that finished until then as seen. The time never moves back; False if it did not move."""
    person_id = policy.require_person(actor, Action.VISIT_MARK)
    until = min(until, timezone.now())
    moved = LastVisit.objects.filter(pk=person_id, seen_until__lt=until)
    return bool(moved.update(summary_since=F("seen_until"), seen_until=until))


def mark_watched(actor: Actor) -> bool:
    """Record that the person left the studio and has seen everything that finished until now.

    `summary_since` stays, so the summary page still lists what they missed.
    """
    person_id = policy.require_person(actor, Action.VISIT_MARK)
    now = timezone.now()
    return bool(LastVisit.objects.filter(pk=person_id, seen_until__lt=now).update(seen_until=now))


def finished_jobs(person_id: int, since: datetime, until: datetime) -> list[Execution]:
    """The person's jobs that finished in this time, latest first: MAX_ROWS at most, and one more if there are more."""
    rows = Execution.objects.filter(created_by_id=person_id, ended_at__gt=since, ended_at__lte=until)
    columns = ("id", "tool", "status", "error", "prompt", "created_at", "ended_at", "batch__name")
    return list(rows.order_by("-ended_at").select_related("batch").only(*columns)[: MAX_ROWS + 1])
