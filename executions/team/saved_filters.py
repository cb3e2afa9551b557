"""Saved views of the history. Anyone can save one for the team; its author and admins can remove it."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from executions import policy
from executions.models import SavedFilter
from executions.policy import Action, Actor


def save(name: str, query: str, *, actor: Actor) -> SavedFilter | None:
    """None if a view with this name exists. Raises NotAllowed."""
    person_id = policy.require_person(actor, Action.FILTER_SAVE)
    try:
        with transaction.atomic():
            return SavedFilter.objects.create(name=name, query=query, created_by_id=person_id)
    except IntegrityError:
        return None


def remove(row: SavedFilter, *, actor: Actor) -> None:
    """Raises NotAllowed."""
    policy.require(actor, Action.FILTER_DELETE, row)
    row.delete()
