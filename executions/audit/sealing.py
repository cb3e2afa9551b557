"""Ties events to the chain shortly after they were written: one sealer at a time, many events at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

from django.db import connection, transaction

from executions.audit.hash_chain import COLUMNS, digest, head
from executions.core import runtime
from executions.core.worker import Worker
from executions.models import Event
from executions.models.event import EventQuerySet

EVERY = 1.0  # seconds
# Events in one transaction: on SQLite others write between two of these.
CHUNK = 2000
# How long to wait before another one who seals is asked again whether it is done.
PAUSE = 0.05  # seconds
# PostgreSQL's name for "somebody seals or prunes"; any number that nobody else uses.
TURN = 0x5275_7368_6573

type Sealed = tuple[int, str, str, int]  # position, previous hash, hash, the event's id


class SealingWorker(Worker):
    name = "audit"
    max_rest = EVERY

    async def step(self) -> float:
        sealed = await runtime.in_db(seal) if await runtime.in_reader(waiting) else 0
        return EVERY if sealed < CHUNK else 0


def waiting() -> bool:
    # In the index's order: without one, PostgreSQL would look for the first one in the table.
    return bool(Event.objects.unsealed().values_list("pk")[:1])


def seal(limit: int = CHUNK) -> int:
    """Tie at most so many waiting events to the chain, the oldest first. Returns how many; 0 if another one does it."""
    with transaction.atomic():
        if not take_turn():
            return 0
        rows = list(Event.objects.unsealed().values_list(*COLUMNS)[:limit])
        if not rows:
            return 0
        position, previous = (last := head()).position, last.hash
        sealed: list[Sealed] = []
        for said in rows:
            position += 1
            current = digest(position, previous, said)
            sealed.append((position, previous, current, said[0]))
            previous = current
        _write(sealed)
    return len(rows)


def seal_all() -> int:
    """Until nothing waits; returns how many that were. What another sealer has in hand is left to it."""
    done = 0
    while sealed := seal(5 * CHUNK):
        done += sealed
    return done


def seal_these(events: EventQuerySet, patience: float) -> None:
    """Until none of these waits. Somebody else who seals or prunes is waited for, so many seconds at most."""
    until = time.monotonic() + patience
    while events.unsealed().exists():
        if not seal(5 * CHUNK):
            if time.monotonic() >= until:
                return
            time.sleep(PAUSE)


def take_turn() -> bool:
    """Be the only one that writes the chain until the transaction ends; on SQLite every writer is alone anyway."""
    if connection.vendor != "postgresql":
        return True
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [TURN])
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
            raise RuntimeError(f"{len(sealed)} events were to be sealed, {cursor.rowcount} were")
