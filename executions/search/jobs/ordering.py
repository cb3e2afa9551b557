"""In which orders the history can stand, and how each goes on from a job."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q


@dataclass(frozen=True)
class Order:
    """By a column, then by id; each order has an index that begins with these.

    Jobs that have no value in the column stand in none of its orders.
    """

    column: str
    """Empty: by id alone, which is by the start."""
    column_descends: bool
    id_descends: bool

    def turned(self) -> Order:
        return replace(self, column_descends=not self.column_descends, id_descends=not self.id_descends)

    @property
    def by(self) -> tuple[str, ...]:
        by_id = "-id" if self.id_descends else "id"
        return (("-" if self.column_descends else "") + self.column, by_id) if self.column else (by_id,)

    def beyond(self, key: Key) -> Iterator[Q]:
        """What stands behind the job with this key: stretches of the index, one behind the other."""
        further = Q(**{f"id__{'lt' if self.id_descends else 'gt'}": key.id})
        if not self.column:
            yield further
            return
        yield further & Q(**{self.column: key.value})
        yield Q(**{f"{self.column}__{'lt' if self.column_descends else 'gt'}": key.value})


@dataclass(frozen=True)
class Key:
    """Where a job stands."""

    id: uuid.UUID
    value: Any = None


NEWEST = Order("", False, True)
ORDERS = {
    "newest": NEWEST,
    "oldest": Order("", False, False),
    "longest": Order("duration", True, True),
    "shortest": Order("duration", False, False),
    # People in the order in which they came to the team; of each the newest first.
    "person": Order("created_by_id", False, True),
    "-person": Order("created_by_id", True, True),
}
