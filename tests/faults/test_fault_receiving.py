"""Deliveries while the database does not answer, and while secrets change: rows 32 and 36 of the list of faults."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections, transaction

from dashboard.webhooks import receiver
from executions import policy
from executions.core import runtime
from executions.models import WebhookDelivery, WebhookEndpoint
from executions.sync.reconciler import Reconciler
from executions.webhooks import endpoints, signing_secrets
from tests.conftest import SandboxProcess
from tests.factories import jobs
from tests.faults import scenes
from tests.faults.receiving import Receiving, outcomes, tells
from tests.waiting import DEADLINE, until

NEXT_SECRET = "whsec_dGhlIG5leHQgb25lLCBhbHNvIGZvciB0ZXN0cyBhbG9uZQ=="
VIDEOGEN_LISTENS = 15  # seconds (docs/api-notes.md#webhook-delivery)


@contextmanager
def nobody_may_write() -> Iterator[None]:
    """Somebody else holds the database for as long as this lasts."""
    is_held, let_go = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            if connection.vendor == "sqlite":
                # Past our own lock between writers, as another program would.
                raw = connection.get_new_connection(connection.get_connection_params())
                raw.execute("BEGIN IMMEDIATE")
                is_held.set()
                let_go.wait(DEADLINE)
                raw.execute("ROLLBACK")
                raw.close()
            else:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("LOCK TABLE executions_webhookdelivery IN EXCLUSIVE MODE")
                    is_held.set()
                    let_go.wait(DEADLINE)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_held.wait(DEADLINE)
    try:
        yield
    finally:
        let_go.set()
        holder.join()


async def kept() -> int:
    return await runtime.in_db(WebhookDelivery.objects.count)


async def test_a_database_that_keeps_a_delivery_waiting_is_said_while_videogen_still_listens(
    receiving: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 32: the write takes too long: 503 in time; done afterwards, it makes the next attempt a repeat."""
    assert receiver.RESPONSE_TIMEOUT < VIDEOGEN_LISTENS
    job = await runtime.in_db(jobs.running, "vg_exec_late")
    first, second = tells("vg_exec_late", "succeeded"), tells("vg_exec_of_nobody", "failed")
    monkeypatch.setattr(receiver, "RESPONSE_TIMEOUT", 0.5)
    with nobody_may_write():
        answers = [
            await receiving.deliver(first, "msg_first"),
            await receiving.deliver(second, "msg_second"),
        ]
    assert [answer.status_code for answer in answers] == [503, 503], "told while it was still waiting"
    assert [answer.headers["retry-after"] for answer in answers] == ["5", "5"]
    monkeypatch.undo()

    # What was under way is written all the same once that is possible. Nobody was told, so it comes again.
    async def is_written() -> bool:
        return (await scenes.row(job)).is_terminal

    await until(is_written)
    again = [(await receiving.deliver(first, "msg_first")), (await receiving.deliver(second, "msg_second"))]
    assert [answer.status_code for answer in again] == [200, 200]
    assert again[0].json() == {"outcome": "repeat"}
    assert await outcomes("vg_exec_late") == ["applied"]
    assert await outcomes("vg_exec_of_nobody") == ["unknown job"]
    assert await runtime.in_db(jobs.endings, job) == ["succeeded"]


async def test_a_secret_replaced_in_the_middle_of_traffic_loses_no_delivery(
    worker: Reconciler, receiving: Receiving, account: SandboxProcess
) -> None:
    """Fault 36: rotation while jobs end: both secrets verify, every message is taken, each job ends once."""
    await receiving.register()
    await scenes.order(account, {"kind": "job", "seconds": 0.1})
    (old,) = await runtime.in_db(lambda: list(WebhookEndpoint.objects.all()))
    old_secret = old.secret
    prompts = [f"{scenes.words()} [fail]" for _ in range(16)]

    async def traffic() -> list[Any]:
        return [await scenes.started(prompt) for prompt in prompts]

    flowing = asyncio.create_task(traffic())
    await until(lambda: at_least(4))
    # The account may have others, of whoever used it before.
    (endpoint,) = [each for each in await endpoints.overview() if each.ours == old]
    await endpoints.rotate(endpoint, actor=policy.SYSTEM)
    started = await flowing

    finals = [await scenes.ended(job) for job in started]
    assert {job.status for job in finals} == {"failed"}
    # VideoGen signs with a new secret a moment before its answer tells it to us: that may be refused once.
    attempts = await until(lambda: all_taken(receiving, finals))
    assert set(attempts) <= {200, 401}
    # What VideoGen signed before it forgot the old secret is still good.
    late = tells("vg_exec_signed_before", "failed")
    answer = await receiving.deliver(late, secret=old_secret)
    assert answer.status_code == 200


async def at_least(number: int) -> bool:
    return await kept() >= number


async def all_taken(receiving: Receiving, finals: list[Any]) -> list[int | None]:
    """What each attempt to tell of these jobs was answered with, once one was taken for each job."""
    found = [await receiving.attempts(job.remote_id) for job in finals]
    taken = all(each and each[-1] == 200 for each in found)
    return [status for each in found for status in each] if taken else []


async def test_a_secret_that_another_process_made_is_found_out_at_the_first_delivery(
    receiving: Receiving, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 36: another web process rotated: this one looks again before it refuses, and not for each of a flood."""
    settings.VIDEOGEN_WEBHOOK_SECRETS = []
    looks: list[int] = []
    read = signing_secrets._of_endpoints

    def counted() -> list[str]:
        looks.append(1)
        return read()

    monkeypatch.setattr(signing_secrets, "_of_endpoints", counted)
    assert await runtime.in_reader(signing_secrets.all_secrets) == []

    def made_elsewhere() -> None:
        endpoint = WebhookEndpoint(remote_id="ep_elsewhere", url=receiving.url)
        endpoint.secret = NEXT_SECRET
        endpoint.save()

    await runtime.in_db(made_elsewhere)
    time_passes(monkeypatch, signing_secrets.DOUBT + 0.1)
    body = tells("vg_exec_of_nobody", "failed")
    assert (await receiving.deliver(body, secret=NEXT_SECRET)).status_code == 200

    before = len(looks)
    forged = [await receiving.deliver(body, secret="whsec_Zm9yZ2Vk") for _ in range(20)]
    assert {answer.status_code for answer in forged} == {401}
    assert len(looks) == before, "a flood asks the database for nothing while what it said is fresh"


def time_passes(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """What is remembered of the secrets is so much older from now on; what is read later is fresh."""
    assert signing_secrets._cached is not None
    monkeypatch.setattr(
        signing_secrets, "_cached", (signing_secrets._cached[0] - seconds, signing_secrets._cached[1])
    )
