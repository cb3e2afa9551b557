"""Up to when a person has seen how their jobs ended, and what ended after that."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F
from django.utils import timezone

from executions import policy
from executions.models import Execution, LastLook
from executions.policy import Action, Actor

# So many ends are looked at; of more the latest.
MOST = 500


def last(person_id: int) -> LastLook:
    """Their last look. Whoever was never here has missed nothing: it begins now."""
    now = timezone.now()
    found = LastLook.objects.filter(pk=person_id).first()
    return (
        found
        or LastLook.objects.get_or_create(pk=person_id, defaults={"looked_at": now, "before_at": now})[0]
    )


def seen(actor: Actor, until: datetime) -> bool:
    """What ended up to then has been shown to them and seen. A look never moves back; False when this one did not move."""
    person_id = policy.require_person(actor, Action.VISIT_MARK)
    until = min(until, timezone.now())
    moved = LastLook.objects.filter(pk=person_id, looked_at__lt=until)
    return bool(moved.update(before_at=F("looked_at"), looked_at=until))


def watched(actor: Actor) -> bool:
    """They were at the page while things ended, and leave it now. What they missed before stays where it was."""
    person_id = policy.require_person(actor, Action.VISIT_MARK)
    now = timezone.now()
    return bool(LastLook.objects.filter(pk=person_id, looked_at__lt=now).update(looked_at=now))


def ended(person_id: int, since: datetime, until: datetime) -> list[Execution]:
    """Their jobs that ended then, the latest end first: at most MOST and one more, which says that there are more."""
    rows = Execution.objects.filter(created_by_id=person_id, ended_at__gt=since, ended_at__lte=until)
    columns = ("id", "tool", "status", "error", "prompt", "created_at", "ended_at", "batch__name")
    return list(rows.order_by("-ended_at").select_related("batch").only(*columns)[: MOST + 1])
