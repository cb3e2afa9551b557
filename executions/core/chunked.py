"""One act on many jobs that a person named, a few at a time: what became of each is kept together with it.

A row names the jobs (`ids`) and holds what became of them (`report`), and until when (`done_at`). Each piece is one transaction, so a break
loses neither the deed nor the word about it; whoever calls again goes on with what is left. Two at once take turns.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

# Jobs that are changed in one transaction: others get to write in between.
CHUNK = 25
# A piece takes less: after so long without one nobody is at it any more.
SILENCE = timedelta(seconds=30)


def carry_on(
    rows: QuerySet[Any], act: Callable[[Any, Sequence[uuid.UUID]], Mapping[str, str]]
) -> dict[str, str]:
    """Do what is left of the one row of `rows`; the whole report. `act` has a word for each id that it gets."""
    while True:
        with transaction.atomic():
            row = rows.select_for_update().get()
            left = chunks(each for each in row.ids if each not in row.report)
            if not left:
                report: dict[str, str] = row.report
                return report
            row.report |= act(row, left[0])
            # So far it was done, then.
            row.done_at = timezone.now()
            row.save(update_fields=["report", "done_at"])


def chunks(ids: Any) -> list[list[uuid.UUID]]:
    """The youngest first: what waits for another job ends before that one."""
    turned = sorted((uuid.UUID(str(each)) for each in ids), reverse=True)
    return [turned[first : first + CHUNK] for first in range(0, len(turned), CHUNK)]


def left(row: Any) -> int:
    """Of how many nothing is told yet; 0 before it has begun."""
    return sum(each not in row.report for each in row.ids) if row.done_at is not None else 0


def is_under_way(row: Any) -> bool:
    """Somebody is at it."""
    return left(row) > 0 and row.done_at > timezone.now() - SILENCE
