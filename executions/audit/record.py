"""Writes down what a person or the system did with something that is no job: one event, in the act's own transaction."""

from __future__ import annotations

from typing import Any, Protocol

from django.utils import timezone

from executions.models import Event
from executions.models.event import ActKind, Source


class Subject(Protocol):
    """What an act is about, unless it is told by its parts."""

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
    """Write the event of an act. `actor_id` None: the system did it by itself.

    `name` is what the subject is called today. `before` and `after` are what changed, as plain JSON values;
    `detail` is whatever else is worth knowing, without secrets.
    """
    if before is not None or after is not None:
        detail |= {"before": before, "after": after}
    return Event.objects.create(
        kind=kind,
        source=Source.PERSON if actor_id is not None else Source.SYSTEM,
        actor_id=actor_id,
        # `__class__`: a request's person is a stand-in, which answers with the class of what it stands for.
        subject_type=subject.__class__.__name__.lower() if subject is not None else "",
        subject_id=str(subject.pk) if subject is not None else "",
        subject_name=(name or (str(subject) if subject is not None else ""))[:200],
        occurred_at=timezone.now(),
        detail=detail,
    )
