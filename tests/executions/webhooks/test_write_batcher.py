"""Deliveries that arrive together are written together on SQLite, and none answers for another."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from django.db import DataError, OperationalError, connection, transaction

from executions.core import runtime
from executions.models import WebhookDelivery
from executions.videogen import parse_event
from executions.webhooks import ingest
from executions.webhooks.write_batcher import MAX_BATCH_SIZE, write_batcher
from tests.factories import jobs
from tests.factories.events import event_body

pytestmark = pytest.mark.django_db(transaction=True)


def taken(number: int, remote_id: str = "") -> Any:
    """Hand a delivery in, as the receiver does."""
    body = event_body("tool_execution.cancelled", remote_id or f"vg_exec_{number}")
    return write_batcher().receive(f"msg_{number}", parse_event(body), {}, body)


def kept() -> int:
    return WebhookDelivery.objects.count()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many deliveries were written together, each time."""
    sizes: list[int] = []
    receive_all = ingest.receive_many

    def noted(deliveries: Any) -> Any:
        sizes.append(len(deliveries))
        return receive_all(deliveries)

    monkeypatch.setattr(ingest, "receive_many", noted)
    return sizes


async def test_each_of_many_at_once_has_its_own_outcome() -> None:
    job = await runtime.in_db(jobs.running, "vg_exec_known")
    ours = taken(0, job.remote_id)
    others = [taken(number) for number in range(1, 40)]
    again = taken(0, job.remote_id)
    outcomes = await asyncio.gather(ours, *others, again)
    assert outcomes == ["applied", *["unknown job"] * 39, "repeat"]
    assert await runtime.in_db(kept) == 40
    assert (await runtime.in_db(jobs.reload, job)).status == "cancelled"


async def test_what_arrives_meanwhile_is_written_together_but_not_without_end(batches: list[int]) -> None:
    free = threading.Event()
    holding = asyncio.create_task(runtime.in_db(free.wait, 10))
    deliveries = [asyncio.create_task(taken(number)) for number in range(MAX_BATCH_SIZE + 5)]
    await asyncio.sleep(0)  # each has handed its delivery in
    free.set()
    await asyncio.gather(holding, *deliveries)
    assert batches == ([MAX_BATCH_SIZE, 5] if connection.vendor == "sqlite" else [])


async def test_one_that_cannot_be_stored_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = ingest.receive

    def picky(webhook_id: str, *rest: Any) -> str:
        outcome = receive(webhook_id, *rest)
        if webhook_id == "msg_1":
            with transaction.atomic():
                raise DataError("too long")
        return outcome

    monkeypatch.setattr(ingest, "receive", picky)
    first, second, third = await asyncio.gather(taken(0), taken(1), taken(2), return_exceptions=True)
    assert (first, third) == ("unknown job", "unknown job")
    assert isinstance(second, DataError)


def test_nothing_is_acknowledged_that_was_rolled_back_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    receive = ingest.receive

    def not_undone(webhook_id: str, *rest: Any) -> str:
        outcome = receive(webhook_id, *rest)
        if webhook_id == "msg_1":
            # What Django notes when not even the savepoint can be gone back to.
            transaction.set_rollback(True)
            raise DataError("too long, and not even that can be undone")
        return outcome

    monkeypatch.setattr(ingest, "receive", not_undone)
    body = event_body("tool_execution.cancelled", "vg_exec_1")
    with pytest.raises(OperationalError):
        ingest.receive_many((f"msg_{number}", parse_event(body), {}, body) for number in range(2))
    assert kept() == 0


async def test_who_goes_away_meanwhile_changes_nothing_for_the_others() -> None:
    gone, stays = asyncio.create_task(taken(0)), asyncio.create_task(taken(1))
    await asyncio.sleep(0)  # a turn of the loop: both have handed their delivery in
    gone.cancel()
    assert await stays == "unknown job"
    assert gone.cancelled()
