"""Forged deliveries, replays and storage errors: what the receiver responds and what it stores."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from django.db import connection

from executions.core import runtime
from executions.models import Event, Execution, WebhookDelivery, WebhookEndpoint
from executions.webhooks import signing_secrets
from tests.factories.deliveries import OTHER_SECRET, SECRET, deliver, event, signature, signed
from tests.factories.jobs import job

pytestmark = pytest.mark.django_db(transaction=True)


def delivery_count() -> int:
    return WebhookDelivery.objects.count()


async def running() -> Execution:
    return await runtime.in_db(job, None, "running")


async def status_of(execution: Execution) -> str:
    return (await runtime.in_db(Execution.objects.get, pk=execution.pk)).status


# --- signatures -------------------------------------------------------------------------------------------


def forgeries(body: bytes) -> dict[str, dict[str, str]]:
    """Headers that must be refused, by what is wrong with them."""
    valid = signed(body, "msg_1")
    now = valid["webhook-timestamp"]
    value = valid["webhook-signature"]
    without = {name: {key: each for key, each in valid.items() if key != name} for name in valid}
    return {
        "no headers at all": {},
        **{f"no {name}": headers for name, headers in without.items()},
        **{f"empty {name}": {**valid, name: ""} for name in valid},
        "another secret": signed(body, "msg_1", secret=OTHER_SECRET),
        "another body": signed(body.replace(b"succeeded", b"cancelled"), "msg_1"),
        "another id": {**valid, "webhook-id": "msg_2"},
        "another time": {**valid, "webhook-timestamp": str(int(now) + 1)},
        "only version 0": {**valid, "webhook-signature": value.replace("v1,", "v0,")},
        "only version 1a": {**valid, "webhook-signature": value.replace("v1,", "v1a,")},
        "no version": {**valid, "webhook-signature": value.removeprefix("v1,")},
        "an empty signature": {**valid, "webhook-signature": "v1,"},
        "invalid base64": {**valid, "webhook-signature": "v1,****"},
        "a truncated signature": {**valid, "webhook-signature": value[:-4]},
        "several invalid signatures": {**valid, "webhook-signature": f"v0,x v1a,y v1,{'A' * 43}="},
        "non-ASCII characters": {**valid, "webhook-signature": "v1,ü"},
        "a long id": signed(body, "m" * 256),
        "6 minutes old": signed(body, "msg_1", int(time.time()) - 360),
        "6 minutes ahead": signed(body, "msg_1", int(time.time()) + 360),
        "a time that is not a number": signed(body, "msg_1", "now"),
        "a time with a fraction": signed(body, "msg_1", f"{time.time():.3f}"),
        "a negative time": signed(body, "msg_1", -int(time.time())),
        "a time with underscores": signed(body, "msg_1", "1_779_962_412"),
        "a huge time": signed(body, "msg_1", "9" * 400),
    }


@pytest.mark.parametrize("forgery", forgeries(b"succeeded"))
async def test_a_delivery_without_a_valid_signature_is_refused(forgery: str) -> None:
    execution = await running()
    body = event(execution.remote_id)
    answer = await deliver(body, forgeries(body)[forgery])
    assert answer.status_code == 401
    assert json.loads(answer.content) == {"message": "Invalid signature."}, "the reason is not revealed"
    assert await runtime.in_db(delivery_count) == 0
    assert await status_of(execution) == "running"


async def test_one_valid_signature_among_others_is_enough() -> None:
    execution = await running()
    body = event(execution.remote_id)
    headers = signed(body, "msg_1")
    wrong = signature(body, "msg_1", headers["webhook-timestamp"], OTHER_SECRET)
    headers["webhook-signature"] = f"v1a,x {wrong} {headers['webhook-signature']}"
    assert (await deliver(body, headers)).status_code == 200
    assert await status_of(execution) == "succeeded"


@pytest.mark.parametrize("offset", [-290, 290])
async def test_a_small_clock_difference_is_accepted(offset: int) -> None:
    execution = await running()
    body = event(execution.remote_id)
    assert (await deliver(body, signed(body, timestamp=int(time.time()) + offset))).status_code == 200


async def test_without_a_secret_every_delivery_is_refused(settings: Any) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = []
    body = event("vg_exec_1")
    assert (await deliver(body, signed(body, secret="whsec_"))).status_code == 401
    assert (await deliver(body)).status_code == 401
    assert await runtime.in_db(delivery_count) == 0


async def test_a_replay_has_no_effect() -> None:
    execution = await running()
    body = event(execution.remote_id)
    headers = signed(body)
    answers = await asyncio.gather(*(deliver(body, headers) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert await runtime.in_db(delivery_count) == 1
    outcomes = await runtime.in_db(
        lambda: Event.objects.filter(execution=execution, to_status="succeeded").count()
    )
    assert outcomes == 1
    other = await running()
    # A message with an id that was received before is a repeat, whatever its body.
    again = event(other.remote_id)
    assert (await deliver(again, signed(again, headers["webhook-id"]))).status_code == 200
    assert await status_of(other) == "running"


async def test_both_secrets_verify_during_a_rotation(settings: Any) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = []

    def add_endpoint(name: str, secret: str, **columns: Any) -> None:
        endpoint = WebhookEndpoint(
            remote_id=name, url="https://rushes.example.org/webhooks/videogen/", **columns
        )
        endpoint.secret = secret
        endpoint.save()
        signing_secrets.clear_cache()

    await runtime.in_db(add_endpoint, "old", SECRET)
    jobs = [await running() for _ in range(6)]
    bodies = [event(each.remote_id) for each in jobs]
    before = await deliver(bodies[0], signed(bodies[0], secret=SECRET))
    await runtime.in_db(add_endpoint, "new", OTHER_SECRET)
    during = [
        await deliver(body, signed(body, secret=secret))
        for body, secret in zip(bodies[1:5], [SECRET, OTHER_SECRET] * 2, strict=True)
    ]
    assert [each.status_code for each in (before, *during)] == [200] * 5

    def expire_old_secret() -> None:
        from datetime import timedelta

        from django.utils import timezone

        past = timezone.now() - timedelta(seconds=1)
        WebhookEndpoint.objects.filter(remote_id="old").update(verifies_until=past)
        signing_secrets.clear_cache()

    await runtime.in_db(expire_old_secret)
    assert (await deliver(bodies[5], signed(bodies[5], secret=SECRET))).status_code == 401
    assert (await deliver(bodies[5], signed(bodies[5], secret=OTHER_SECRET))).status_code == 200


async def test_secrets_are_not_readable_in_the_database() -> None:
    def stored() -> str:
        endpoint = WebhookEndpoint(remote_id="one", url="https://rushes.example.org/webhooks/videogen/")
        endpoint.secret = SECRET
        endpoint.save()
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM executions_webhookendpoint")
            return repr(cursor.fetchall())

    row = await runtime.in_db(stored)
    assert SECRET not in row
    assert SECRET.removeprefix("whsec_") not in row


# --- database errors --------------------------------------------------------------------------------------


def set_busy_timeout(milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")


def make_read_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")


def make_full() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")


@pytest.mark.one_engine
@pytest.mark.parametrize("fault", [make_read_only, make_full])
async def test_a_delivery_that_cannot_be_stored_is_requested_again_and_applied(fault: Any) -> None:
    execution = await running()
    body = event(execution.remote_id, padding="x" * 200_000)
    headers = signed(body)
    await runtime.in_db(fault)
    answer = await deliver(body, headers)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert await status_of(execution) == "running"
    # The thread has closed the faulty connection, so the next one works.
    again = await deliver(body, headers)
    assert json.loads(again.content) == {"outcome": "applied"}
    assert await status_of(execution) == "succeeded"


@pytest.mark.one_engine
async def test_a_delivery_is_applied_once_the_database_is_unlocked() -> None:
    import sqlite3
    from contextlib import closing

    execution = await running()
    body = event(execution.remote_id)
    headers = signed(body)
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        await runtime.in_db(set_busy_timeout, 100)
        assert (await deliver(body, headers)).status_code == 503
        other.execute("ROLLBACK")
    assert json.loads((await deliver(body, headers)).content) == {"outcome": "applied"}
    assert await status_of(execution) == "succeeded"


async def test_after_a_crash_between_commit_and_response_the_next_attempt_is_a_repeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dashboard.webhooks import receiver

    execution = await running()
    body = event(execution.remote_id)
    headers = signed(body)

    def crash(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt("killed before the response")

    with monkeypatch.context() as killed:
        killed.setattr(receiver, "JsonResponse", crash)
        with pytest.raises(KeyboardInterrupt):
            await receiver.receive(fake_request(body, headers))
    assert json.loads((await deliver(body, headers)).content) == {"outcome": "repeat"}
    assert await status_of(execution) == "succeeded"


def fake_request(body: bytes, headers: dict[str, str]) -> Any:
    from django.test import AsyncRequestFactory

    from tests.factories.deliveries import URL

    return AsyncRequestFactory().post(URL, body, content_type="application/json", headers=headers)
