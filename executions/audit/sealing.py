"""Seals events, that is, adds them to the hash chain, shortly after they were written: one sealer at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.db import connection, transaction

from executions.audit.hash_chain import COLUMNS, digest, head
from executions.core import runtime
from executions.core.worker import Worker
from executions.models import Event
from executions.models.event import EventQuerySet

INTERVAL = 1.0  # seconds
# Events in one transaction. On SQLite, other writers get their turn between two transactions.
CHUNK = 2000
# Time before another attempt while a different process seals or prunes.
RETRY_INTERVAL = 0.05  # seconds
# PostgreSQL advisory lock for sealing and pruning; any number that no other lock uses.
LOCK_ID = 0x5275_7368_6573

type Sealed = tuple[int, str, str, int]  # position, previous hash, hash, the event's id


class SealingWorker(Worker):
    name = "audit"
    max_sleep = INTERVAL

    async def step(self) -> float:
        sealed = await runtime.in_db(seal) if await runtime.in_reader(has_unsealed) else 0
        return INTERVAL if sealed < CHUNK else 0


def has_unsealed() -> bool:
    # unsealed() sorts in the order of the index: without an order, PostgreSQL would scan the table.
    return bool(Event.objects.unsealed().values_list("pk")[:1])


def seal(limit: int = CHUNK) -> int:
    """Seal up to `limit` events, oldest first, and return their number; 0 if another process is sealing."""
    with transaction.atomic():
        if not try_lock():
            return 0
        rows = list(Event.objects.unsealed().values_list(*COLUMNS)[:limit])
        if not rows:
            return 0
        position, previous = (last := head()).position, last.hash
        sealed: list[Sealed] = []
        for values in rows:
            position += 1
            current = digest(position, previous, values)
            sealed.append((position, previous, current, values[0]))
            previous = current
        _write(sealed)
    return len(rows)


def seal_all() -> int:
    """Seal until no unsealed event is left, and return the number sealed. Stops early if another process is sealing."""
    total = 0
    while sealed := seal(5 * CHUNK):
        total += sealed
    return total


def seal_events(events: EventQuerySet, timeout: float) -> None:
    """Seal until all these events are sealed. Waits up to `timeout` seconds for a process that seals or prunes."""
    deadline = time.monotonic() + timeout
    while events.unsealed().exists():
        if not seal(5 * CHUNK):
            if time.monotonic() >= deadline:
                return
            time.sleep(RETRY_INTERVAL)


def try_lock() -> bool:
    """Lock the chain for writing until the transaction ends, or return False. SQLite has a single writer anyway."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK_ID])
        return bool(cursor.fetchone()[0])


def _write(sealed: Sequence[Sealed]) -> None:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "UPDATE executions_event AS event"
                " SET position = link.position, previous_hash = link.previous_hash, hash = link.hash"
                " FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[])"
                " AS link (position, previous_hash, hash, id)"
                " WHERE event.id = link.id AND event.position IS NULL",
                [list(column) for column in zip(*sealed, strict=True)],
            )
        else:
            cursor.executemany(
                "UPDATE executions_event SET position = %s, previous_hash = %s, hash = %s"
                " WHERE id = %s AND position IS NULL",
                sealed,
            )
        if cursor.rowcount != len(sealed):
            raise RuntimeError(f"Expected to seal {len(sealed)} events, sealed {cursor.rowcount}.")
