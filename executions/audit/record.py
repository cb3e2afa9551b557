"""Records an action of a person or of Rushes itself on anything but a job: one event, in the same transaction."""

from __future__ import annotations

from typing import Any, Protocol

from django.utils import timezone

from executions.models import Event
from executions.models.event import ActKind, Source


class Subject(Protocol):
    """The object that an action changes."""

    @property
    def pk(self) -> Any: ...


def record(
    kind: ActKind,
    *,
    actor_id: int | None,
    subject: Subject | None = None,
    name: str = "",
    before: Any = None,
    after: Any = None,
    **detail: Any,
) -> Event:
    """Write the event of an action. `actor_id` None means that Rushes itself acted.

    `name` is the subject's current name, by default its `str()`; at most 200 characters are stored. `before` and
    `after` are the changed values, as plain JSON; `detail` is any other useful data, without secrets.
    """
    if before is not None or after is not None:
        detail |= {"before": before, "after": after}
    return Event.objects.create(
        kind=kind,
        source=Source.PERSON if actor_id is not None else Source.SYSTEM,
        actor_id=actor_id,
        # `__class__`, not type(): request.user is a lazy object, whose `__class__` is that of the user.
        subject_type=subject.__class__.__name__.lower() if subject is not None else "",
        subject_id=str(subject.pk) if subject is not None else "",
        subject_name=(name or (str(subject) if subject is not None else ""))[:200],
        occurred_at=timezone.now(),
        detail=detail,
    )
