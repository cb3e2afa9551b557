"""Settings that admins change on a page. Stored in the database, cached for a few seconds, and recorded as events."""

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

# Whether every file is copied to our storage, or only the requested ones.
COPY_ALL = "a copy of every file is kept"
DEFAULTS: dict[str, Any] = {TEAM_CANCELS: False, COPY_ALL: False}
# Seconds that values are cached. The process that changes a value sees it immediately.
CACHE_TTL = 3.0
_cached: tuple[float, dict[str, Any]] | None = None


def get(name: str) -> Any:
    """The value, up to CACHE_TTL seconds old. For display."""
    global _cached
    if _cached is None or time.monotonic() - _cached[0] > CACHE_TTL:
        _cached = (time.monotonic(), dict(Setting.objects.values_list("name", "value")))
    return _cached[1].get(name, DEFAULTS[name])


def get_uncached(name: str) -> Any:
    """The current value. For decisions."""
    found = Setting.objects.filter(name=name).values_list("value", flat=True).first()
    return DEFAULTS[name] if found is None else found


def change(name: str, value: Any, *, actor: Actor) -> bool:
    """Change a setting. False if it had this value. Raises NotAllowed."""
    actor_id = policy.require(actor, Action.SETTING_CHANGE)
    with transaction.atomic():
        before = get_uncached(name)
        if before == value:
            return False
        Setting.objects.update_or_create(
            name=name, defaults={"value": value, "changed_at": timezone.now(), "changed_by_id": actor_id}
        )
        audit_log.record(ActKind.SETTING_CHANGED, actor_id=actor_id, name=name, before=before, after=value)
    clear_cache()
    return True


def clear_cache() -> None:
    """Empty the cache."""
    global _cached
    _cached = None
