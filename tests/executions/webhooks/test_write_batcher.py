"""On SQLite, deliveries that arrive together are written together, and each gets its own outcome."""

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
from tests.factories.deliveries import event

pytestmark = pytest.mark.django_db(transaction=True)


def receive(number: int, remote_id: str = "") -> Any:
    """Pass a delivery to the batcher, as the webhook receiver does."""
    body = event(remote_id or f"vg_exec_{number}", "tool_execution.cancelled")
    return write_batcher().receive(f"msg_{number}", parse_event(body), {}, body)


def count_deliveries() -> int:
    return WebhookDelivery.objects.count()


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of the batches that were written."""
    sizes: list[int] = []
    original = ingest.receive_many

    def recording(deliveries: Any) -> Any:
        sizes.append(len(deliveries))
        return original(deliveries)

    monkeypatch.setattr(ingest, "receive_many", recording)
    return sizes


async def test_concurrent_deliveries_get_their_own_outcomes() -> None:
    job = await runtime.in_db(jobs.running, "vg_exec_known")
    known = receive(0, job.remote_id)
    others = [receive(number) for number in range(1, 40)]
    repeated = receive(0, job.remote_id)
    outcomes = await asyncio.gather(known, *others, repeated)
    assert outcomes == ["applied", *["unknown job"] * 39, "repeat"]
    assert await runtime.in_db(count_deliveries) == 40
    assert (await runtime.in_db(jobs.reload, job)).status == "cancelled"


async def test_deliveries_are_batched_up_to_the_maximum_size(batches: list[int]) -> None:
    release = threading.Event()
    blocking = asyncio.create_task(runtime.in_db(release.wait, 10))
    deliveries = [asyncio.create_task(receive(number)) for number in range(MAX_BATCH_SIZE + 5)]
    await asyncio.sleep(0)  # let each task pass its delivery to the batcher
    release.set()
    await asyncio.gather(blocking, *deliveries)
    assert batches == ([MAX_BATCH_SIZE, 5] if connection.vendor == "sqlite" else [])


async def test_a_failing_delivery_does_not_affect_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ingest.receive

    def failing(webhook_id: str, *rest: Any) -> str:
        outcome = original(webhook_id, *rest)
        if webhook_id == "msg_1":
            with transaction.atomic():
                raise DataError("too long")
        return outcome

    monkeypatch.setattr(ingest, "receive", failing)
    first, second, third = await asyncio.gather(receive(0), receive(1), receive(2), return_exceptions=True)
    assert (first, third) == ("unknown job", "unknown job")
    assert isinstance(second, DataError)


def test_a_silently_rolled_back_batch_is_not_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    original = ingest.receive

    def failing_rollback(webhook_id: str, *rest: Any) -> str:
        outcome = original(webhook_id, *rest)
        if webhook_id == "msg_1":
            # Django sets this when rolling back to a savepoint fails.
            transaction.set_rollback(True)
            raise DataError("too long, and the savepoint cannot be rolled back")
        return outcome

    monkeypatch.setattr(ingest, "receive", failing_rollback)
    body = event("vg_exec_1", "tool_execution.cancelled")
    with pytest.raises(OperationalError):
        ingest.receive_many((f"msg_{number}", parse_event(body), {}, body) for number in range(2))
    assert count_deliveries() == 0


async def test_a_cancelled_caller_does_not_affect_the_others() -> None:
    cancelled, other = asyncio.create_task(receive(0)), asyncio.create_task(receive(1))
    await asyncio.sleep(0)  # let both tasks pass their delivery to the batcher
    cancelled.cancel()
    assert await other == "unknown job"
    assert cancelled.cancelled()
