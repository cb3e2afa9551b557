"""What admins choose for everybody on a page. Kept in the database, read now and then, recorded when it changes."""

from __future__ import annotations

import time
from typing import Any

from django.db import transaction
from django.utils import timezone

from executions import policy
from executions.audit import record as audit_log
from executions.models import Setting
from executions.models.event import ActKind
from executions.models.team import TEAM_CANCELS as TEAM_CANCELS
from executions.policy import Action, Actor

# Every file that is made or uploaded here is copied to our own storage; otherwise those that somebody asks for.
KEEP_ALL = "a copy of every file is kept"
DEFAULTS: dict[str, Any] = {TEAM_CANCELS: False, KEEP_ALL: False}
# Seconds that a choice is remembered; a new one is known at once in the process that made it.
FRESH = 3.0
_remembered: tuple[float, dict[str, Any]] | None = None


def chosen(name: str) -> Any:
    """The choice as it was a moment ago: for what is shown."""
    global _remembered
    if _remembered is None or time.monotonic() - _remembered[0] > FRESH:
        _remembered = (time.monotonic(), dict(Setting.objects.values_list("name", "value")))
    return _remembered[1].get(name, DEFAULTS[name])


def chosen_now(name: str) -> Any:
    """The choice as it is: for what is done."""
    found = Setting.objects.filter(name=name).values_list("value", flat=True).first()
    return DEFAULTS[name] if found is None else found


def choose(name: str, value: Any, *, actor: Actor) -> bool:
    """False when it was so before. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.SETTING_CHANGE)
    with transaction.atomic():
        before = chosen_now(name)
        if before == value:
            return False
        Setting.objects.update_or_create(
            name=name, defaults={"value": value, "changed_at": timezone.now(), "changed_by_id": actor_id}
        )
        audit_log.record(ActKind.SETTING_CHANGED, actor_id=actor_id, name=name, before=before, after=value)
    forget()
    return True


def forget() -> None:
    """Read the choices again when they are next asked for."""
    global _remembered
    _remembered = None
