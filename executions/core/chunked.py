"""Bulk actions: one action on many selected jobs, a chunk at a time, with the outcome stored for each job.

A row holds the jobs (`ids`), their outcomes (`report`) and a time (`done_at`): when the action started, then when
its last chunk was done. A chunk and its outcomes are one transaction, so an interruption loses neither; the next call
continues with the remaining jobs. Concurrent calls take turns.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

# Jobs changed in one transaction; other writers get their turn between chunks.
CHUNK_SIZE = 25
# A chunk takes less. Without a new one for this long, the process that ran the action is gone.
STALL_TIMEOUT = timedelta(seconds=30)


def resume(
    rows: QuerySet[Any], act: Callable[[Any, Sequence[uuid.UUID]], Mapping[str, str]]
) -> dict[str, str]:
    """Finish the only row of `rows` and return its report. `act` returns an outcome for each id it is given."""
    while True:
        with transaction.atomic():
            row = rows.select_for_update().get()
            pending = chunks(each for each in row.ids if each not in row.report)
            if not pending:
                report: dict[str, str] = row.report
                return report
            row.report |= act(row, pending[0])
            row.done_at = timezone.now()
            row.save(update_fields=["report", "done_at"])


def chunks(ids: Any) -> list[list[uuid.UUID]]:
    """The ids in chunks, newest first, so that a job that depends on another one is handled before that one."""
    newest_first = sorted((uuid.UUID(str(each)) for each in ids), reverse=True)
    return [newest_first[first : first + CHUNK_SIZE] for first in range(0, len(newest_first), CHUNK_SIZE)]


def remaining(row: Any) -> int:
    """The number of jobs without an outcome; 0 before the action starts."""
    return sum(each not in row.report for each in row.ids) if row.done_at is not None else 0


def is_running(row: Any) -> bool:
    """Whether a process is still working on the row."""
    return remaining(row) > 0 and row.done_at > timezone.now() - STALL_TIMEOUT
