"""The sort orders of the history, and the conditions by which each continues after a job."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.db.models import Q


@dataclass(frozen=True)
class Order:
    """By a column, then by id. Each order has an index that begins with these.

    A job without a value in the column is not listed in its orders.
    """

    column: str
    """Empty: by id alone, which is by start time."""
    column_descends: bool
    id_descends: bool

    def reversed(self) -> Order:
        return replace(self, column_descends=not self.column_descends, id_descends=not self.id_descends)

    @property
    def by(self) -> tuple[str, ...]:
        """Arguments for QuerySet.order_by."""
        by_id = "-id" if self.id_descends else "id"
        return (("-" if self.column_descends else "") + self.column, by_id) if self.column else (by_id,)

    def after(self, key: Key) -> Iterator[Q]:
        """The jobs after `key`, as conditions for consecutive ranges of the index."""
        next_ids = Q(**{f"id__{'lt' if self.id_descends else 'gt'}": key.id})
        if not self.column:
            yield next_ids
            return
        yield next_ids & Q(**{self.column: key.value})
        yield Q(**{f"{self.column}__{'lt' if self.column_descends else 'gt'}": key.value})


@dataclass(frozen=True)
class Key:
    """The position of a job in an order: its id, and its value in the order's column."""

    id: uuid.UUID
    value: Any = None


NEWEST = Order("", False, True)
ORDERS = {
    "newest": NEWEST,
    "oldest": Order("", False, False),
    "longest": Order("duration", True, True),
    "shortest": Order("duration", False, False),
    # People in the order in which they joined; the newest jobs of each first.
    "person": Order("created_by_id", False, True),
    "-person": Order("created_by_id", True, True),
}
