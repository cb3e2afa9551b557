"""Helpers for tests of the audit log: recorded events, and changes that bypass the triggers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from executions.audit import record as audit_log
from executions.audit import triggers
from executions.models import Event
from executions.models.event import ActKind

pytestmark = pytest.mark.both_engines


def record_events(count: int = 1, kind: ActKind = ActKind.EXPORTED, **detail: Any) -> list[Event]:
    """Record `count` events, one after the other."""
    return [audit_log.record(kind, actor_id=None, name=f"act {number}", **detail) for number in range(count)]


def tamper(sql: str, *values: Any) -> None:
    """Change the database as a person can who is able to drop the triggers."""
    triggers.drop(connection)
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
    triggers.install(connection)


@pytest.fixture
def refused(db: None) -> Callable[..., str]:
    """Runs a statement and returns the database's error; empty if it was accepted."""
    from django.db import DatabaseError, transaction

    def attempt(sql: str, *values: Any) -> str:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(sql, values)
        except DatabaseError as error:
            return str(error)
        return ""

    return attempt
