"""Old jobs with any columns, written without the lifecycle, for tests of searching and listing."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from executions.core import ids
from executions.models import Execution

FIRST_START = datetime(2025, 3, 1, 12, tzinfo=UTC)


def past_job(number: int = 0, **columns: Any) -> Execution:
    """A job that started `number` minutes after FIRST_START; by default it has succeeded. Not saved."""
    at = FIRST_START + timedelta(minutes=number)
    seconds = columns.pop("duration", 10.0)
    status = columns.pop("status", "succeeded")
    return Execution(
        **{
            "id": ids.uuid7_at(int(at.timestamp() * 1000)),
            "remote_id": f"made_{uuid.uuid4().hex}",
            "tool": "generate-image",
            "prompt": f"pier {number:03}",
            "status": status,
            "created_at": at,
            "sent_at": at,
            "ended_at": at + timedelta(seconds=seconds),
            "duration": seconds,
            "next_attempt_at": None,
            **columns,
        }
    )


def write(*jobs: Execution) -> list[Execution]:
    return Execution.objects.bulk_create(jobs)
