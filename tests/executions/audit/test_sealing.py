"""Sealing: events join the chain in order, once, by one sealer at a time, without blocking writers."""

from __future__ import annotations

import asyncio
import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, connections, transaction

from executions.audit import hash_chain, sealing
from executions.core import runtime
from executions.models import Event
from tests.executions.audit.conftest import record_events
from tests.threads import run_together
from tests.waiting import DEADLINE


@pytest.mark.django_db
def test_each_event_carries_the_hash_of_the_one_before() -> None:
    events = record_events(3)
    assert sealing.seal() == 3
    assert sealing.seal() == 0
    sealed = list(Event.objects.order_by("position"))
    assert [each.pk for each in sealed] == [each.pk for each in events]
    assert [each.position for each in sealed] == [1, 2, 3]
    assert [each.previous_hash for each in sealed] == ["0" * 64, sealed[0].hash, sealed[1].hash]
    assert hash_chain.head() == hash_chain.Head(3, sealed[2].hash)


@pytest.mark.django_db
def test_events_sealed_later_continue_the_chain() -> None:
    record_events(2)
    sealing.seal(1)
    first = Event.objects.sealed().get()
    record_events(1)
    assert sealing.seal_all() == 2
    assert Event.objects.get(position=2).previous_hash == first.hash


def test_the_hash_covers_the_whole_event() -> None:
    """The text is a stable format: anyone who has it can compute the hash with any tool."""
    at = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
    values: list[Any] = [
        *(7, None, None, "user", "3", "ann é", "signed in", "", "", "person", 3, "192.0.2.1", None, at, at),
        {"b": 1, "a": [1.5]},
    ]
    assert len(values) == len(hash_chain.COLUMNS)
    assert hash_chain.canonical_text(1, "0" * 64, values) == (
        '["rushes-event-1",1,"' + "0" * 64 + '",7,null,null,"user","3","ann é","signed in","","","person",3,'
        '"192.0.2.1",null,"2026-11-24T07:30:00.000000+00:00","2026-11-24T07:30:00.000000+00:00",{"a":[1.5],"b":1}]'
    )
    unchanged = hash_chain.digest(1, "0" * 64, values)
    for number in range(len(values)):
        changed = [*values]
        changed[number] = "something else"
        assert hash_chain.digest(1, "0" * 64, changed) != unchanged, hash_chain.COLUMNS[number]


def test_every_column_of_an_event_is_hashed() -> None:
    of_the_chain = {"position", "previous_hash", "hash"}
    assert {field.attname for field in Event._meta.local_fields} - of_the_chain == set(hash_chain.COLUMNS)


@pytest.mark.django_db(transaction=True)
def test_concurrent_sealers_make_one_chain() -> None:
    record_events(300)

    def seal_all() -> None:
        while sealing.has_unsealed():
            sealing.seal(7)

    run_together([seal_all, seal_all])
    assert list(Event.objects.order_by("id").values_list("position", flat=True)) == [*range(1, 301)]


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_writers_do_not_wait_for_the_sealer() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("on SQLite there is one writer anyway")
    record_events(5)
    written = threading.Event()

    def write() -> None:
        try:
            record_events(1)
            written.set()
        finally:
            connections.close_all()

    with transaction.atomic():
        sealing.seal()
        thread = threading.Thread(target=write)
        thread.start()
        assert written.wait(DEADLINE), "the event was not written while the sealer's transaction was open"
    thread.join(DEADLINE)
    assert Event.objects.unsealed().count() == 1


@pytest.mark.django_db(transaction=True)
async def test_the_worker_seals_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "INTERVAL", 0.01)
    await runtime.in_db(record_events, 3)
    done = asyncio.Event()
    seal = sealing.seal

    def signaling_seal() -> int:
        sealed = seal()
        loop.call_soon_threadsafe(done.set)
        return sealed

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(sealing, "seal", signaling_seal)
    working = asyncio.create_task(sealing.SealingWorker().run())
    await asyncio.wait_for(done.wait(), DEADLINE)
    working.cancel()
    assert (await runtime.in_reader(hash_chain.head)).position == 3
