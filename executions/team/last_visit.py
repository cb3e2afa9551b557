"""A person's last visit, and their jobs that finished since."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F
from django.utils import timezone

from executions import policy
from executions.models import Execution, LastLook
from executions.policy import Action, Actor

# Finished jobs that are read; if there are more, the latest.
MAX_ROWS = 500


def last(person_id: int) -> LastLook:
    """The person's last visit. For a new person it is the current time: they have missed nothing."""
    now = timezone.now()
    found = LastLook.objects.filter(pk=person_id).first()
    return (
        found
        or LastLook.objects.get_or_create(pk=person_id, defaults={"looked_at": now, "before_at": now})[0]
    )


def mark_seen(actor: Actor, until: datetime) -> bool:
    """Mark jobs that finished until then as seen. The time never moves back; False if it did not move."""
    person_id = policy.require_person(actor, Action.VISIT_MARK)
    until = min(until, timezone.now())
    moved = LastLook.objects.filter(pk=person_id, looked_at__lt=until)
    return bool(moved.update(before_at=F("looked_at"), looked_at=until))


def mark_watched(actor: Actor) -> bool:
    """Record that the person left the studio and has seen everything that finished until now.

    `before_at` stays, so the summary page still lists what they missed.
    """
    person_id = policy.require_person(actor, Action.VISIT_MARK)
    now = timezone.now()
    return bool(LastLook.objects.filter(pk=person_id, looked_at__lt=now).update(looked_at=now))


def finished_jobs(person_id: int, since: datetime, until: datetime) -> list[Execution]:
    """The person's jobs that finished in this time, latest first: MAX_ROWS at most, and one more if there are more."""
    rows = Execution.objects.filter(created_by_id=person_id, ended_at__gt=since, ended_at__lte=until)
    columns = ("id", "tool", "status", "error", "prompt", "created_at", "ended_at", "batch__name")
    return list(rows.order_by("-ended_at").select_related("batch").only(*columns)[: MAX_ROWS + 1])
