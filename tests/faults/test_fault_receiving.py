"""Deliveries while the database is locked, or secrets change: rows 32 and 36 of docs/reliability.md."""

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
from tests import steps
from tests.conftest import SandboxProcess
from tests.factories import deliveries, jobs
from tests.faults.webhook_receiver import WebhookReceiver, delivery_outcomes
from tests.waiting import DEADLINE, until

NEXT_SECRET = "whsec_dGhlIG5leHQgb25lLCBhbHNvIGZvciB0ZXN0cyBhbG9uZQ=="
VIDEOGEN_TIMEOUT = 15  # seconds (docs/api-notes.md#webhook-delivery)


@contextmanager
def locked_database() -> Iterator[None]:
    """Another connection holds a write lock on the database."""
    is_locked, release = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            if connection.vendor == "sqlite":
                # Bypass Rushes' own write lock, as another program would.
                raw = connection.get_new_connection(connection.get_connection_params())
                raw.execute("BEGIN IMMEDIATE")
                is_locked.set()
                release.wait(DEADLINE)
                raw.execute("ROLLBACK")
                raw.close()
            else:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute("LOCK TABLE executions_webhookdelivery IN EXCLUSIVE MODE")
                    is_locked.set()
                    release.wait(DEADLINE)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    assert is_locked.wait(DEADLINE)
    try:
        yield
    finally:
        release.set()
        holder.join()


async def delivery_count() -> int:
    return await runtime.in_db(WebhookDelivery.objects.count)


async def test_a_delivery_that_waits_for_the_database_is_answered_before_videogen_times_out(
    webhook_receiver: WebhookReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 32: a write that takes too long is answered 503 in time; once it is done, the next attempt is a repeat."""
    assert receiver.RESPONSE_TIMEOUT < VIDEOGEN_TIMEOUT
    job = await runtime.in_db(jobs.running, "vg_exec_late")
    first, second = (
        deliveries.outcome("vg_exec_late", "succeeded"),
        deliveries.outcome("vg_exec_unknown", "failed"),
    )
    monkeypatch.setattr(receiver, "RESPONSE_TIMEOUT", 0.5)
    with locked_database():
        answers = [
            await webhook_receiver.deliver(first, "msg_first"),
            await webhook_receiver.deliver(second, "msg_second"),
        ]
    assert [answer.status_code for answer in answers] == [503, 503], "answered while the write still waited"
    assert [answer.headers["retry-after"] for answer in answers] == ["5", "5"]
    monkeypatch.undo()

    # The pending write is completed once that is possible. VideoGen does not know, so it delivers again.
    async def is_written() -> bool:
        return (await steps.reload(job)).is_terminal

    await until(is_written)
    again = [
        (await webhook_receiver.deliver(first, "msg_first")),
        (await webhook_receiver.deliver(second, "msg_second")),
    ]
    assert [answer.status_code for answer in again] == [200, 200]
    assert again[0].json() == {"outcome": "repeat"}
    assert await delivery_outcomes("vg_exec_late") == ["applied"]
    assert await delivery_outcomes("vg_exec_unknown") == ["unknown job"]
    assert await runtime.in_db(jobs.final_statuses, job) == ["succeeded"]


async def test_replacing_the_secret_during_traffic_loses_no_delivery(
    worker: Reconciler, webhook_receiver: WebhookReceiver, account: SandboxProcess
) -> None:
    """Fault 36: rotation while jobs finish: both secrets verify, every message is accepted, each job finishes once."""
    await webhook_receiver.register()
    await steps.add_faults(account, {"kind": "job", "seconds": 0.1})
    (old,) = await runtime.in_db(lambda: list(WebhookEndpoint.objects.all()))
    old_secret = old.secret
    prompts = [f"{steps.unique_prompt()} [fail]" for _ in range(16)]

    async def traffic() -> list[Any]:
        return [await steps.started(prompt) for prompt in prompts]

    flowing = asyncio.create_task(traffic())
    await until(lambda: received_at_least(4))
    # The account may have endpoints of earlier tests.
    (endpoint,) = [each for each in await endpoints.overview() if each.local == old]
    await endpoints.rotate(endpoint, actor=policy.SYSTEM)
    started = await flowing

    finals = [await steps.wait_until_final(job) for job in started]
    assert {job.status for job in finals} == {"failed"}
    # VideoGen signs with the new secret just before Rushes receives it, so a delivery may be refused once.
    attempts = await until(lambda: all_accepted(webhook_receiver, finals))
    assert set(attempts) <= {200, 401}
    # A delivery that was signed with the old secret is still accepted.
    late = deliveries.outcome("vg_exec_signed_before", "failed")
    answer = await webhook_receiver.deliver(late, secret=old_secret)
    assert answer.status_code == 200


async def received_at_least(number: int) -> bool:
    return await delivery_count() >= number


async def all_accepted(webhook_receiver: WebhookReceiver, finals: list[Any]) -> list[int | None]:
    """The status of each delivery attempt for these jobs, once one was accepted for each job; else an empty list."""
    found = [await webhook_receiver.attempts(job.remote_id) for job in finals]
    accepted = all(each and each[-1] == 200 for each in found)
    return [status for each in found for status in each] if accepted else []


async def test_a_secret_created_by_another_process_is_loaded_at_the_first_delivery(
    webhook_receiver: WebhookReceiver, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 36: another web process rotated: this one reloads before it refuses, but not for each request of a flood."""
    settings.VIDEOGEN_WEBHOOK_SECRETS = []
    queries: list[int] = []
    read = signing_secrets._read_endpoints

    def counted() -> list[str]:
        queries.append(1)
        return read()

    monkeypatch.setattr(signing_secrets, "_read_endpoints", counted)
    assert await runtime.in_reader(signing_secrets.all_secrets) == []

    def rotate_in_another_process() -> None:
        endpoint = WebhookEndpoint(remote_id="ep_other", url=webhook_receiver.url)
        endpoint.secret = NEXT_SECRET
        endpoint.save()

    await runtime.in_db(rotate_in_another_process)
    age_cached_secrets(monkeypatch, signing_secrets.MIN_RELOAD_AGE + 0.1)
    body = deliveries.outcome("vg_exec_unknown", "failed")
    assert (await webhook_receiver.deliver(body, secret=NEXT_SECRET)).status_code == 200

    before = len(queries)
    forged = [await webhook_receiver.deliver(body, secret="whsec_Zm9yZ2Vk") for _ in range(20)]
    assert {answer.status_code for answer in forged} == {401}
    assert len(queries) == before, "a flood causes no query while the cached secrets are recent"


def age_cached_secrets(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Make the cached secrets this many seconds older; secrets read later are recent."""
    assert signing_secrets._cached is not None
    monkeypatch.setattr(
        signing_secrets, "_cached", (signing_secrets._cached[0] - seconds, signing_secrets._cached[1])
    )
