"""Deliveries that are not VideoGen's, or not sound: refused, and nothing of them is kept."""

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


def rows() -> int:
    return WebhookDelivery.objects.count()


async def running() -> Execution:
    return await runtime.in_db(job, None, "running")


async def status_of(execution: Execution) -> str:
    return (await runtime.in_db(Execution.objects.get, pk=execution.pk)).status


# --- who signed it ----------------------------------------------------------------------------------------


def forgeries(body: bytes) -> dict[str, dict[str, str]]:
    """Headers that must not be believed, by what is wrong with them."""
    good = signed(body, "msg_1")
    now = good["webhook-timestamp"]
    right = good["webhook-signature"]
    without = {name: {key: value for key, value in good.items() if key != name} for name in good}
    return {
        "no headers at all": {},
        **{f"no {name}": headers for name, headers in without.items()},
        **{f"empty {name}": {**good, name: ""} for name in good},
        "another secret": signed(body, "msg_1", secret=OTHER_SECRET),
        "another body": signed(body.replace(b"succeeded", b"cancelled"), "msg_1"),
        "another id": {**good, "webhook-id": "msg_2"},
        "another time": {**good, "webhook-timestamp": str(int(now) + 1)},
        "version 0 alone": {**good, "webhook-signature": right.replace("v1,", "v0,")},
        "version 1a alone": {**good, "webhook-signature": right.replace("v1,", "v1a,")},
        "no version": {**good, "webhook-signature": right.removeprefix("v1,")},
        "an empty signature": {**good, "webhook-signature": "v1,"},
        "no base64": {**good, "webhook-signature": "v1,****"},
        "a truncated signature": {**good, "webhook-signature": right[:-4]},
        "several wrong ones": {**good, "webhook-signature": f"v0,x v1a,y v1,{'A' * 43}="},
        "letters beyond ASCII": {**good, "webhook-signature": "v1,ü"},
        "a long id": signed(body, "m" * 256),
        "6 minutes old": signed(body, "msg_1", int(time.time()) - 360),
        "6 minutes ahead": signed(body, "msg_1", int(time.time()) + 360),
        "a time that is no number": signed(body, "msg_1", "now"),
        "a time with a fraction": signed(body, "msg_1", f"{time.time():.3f}"),
        "a negative time": signed(body, "msg_1", -int(time.time())),
        "a time in words of Python": signed(body, "msg_1", "1_779_962_412"),
        "a huge time": signed(body, "msg_1", "9" * 400),
    }


@pytest.mark.parametrize("what", forgeries(b"succeeded"))
async def test_a_delivery_that_is_not_signed_for_us_is_refused(what: str) -> None:
    execution = await running()
    body = event(execution.remote_id)
    answer = await deliver(body, forgeries(body)[what])
    assert answer.status_code == 401
    assert json.loads(answer.content) == {"message": "Invalid signature."}, "no word of what was wrong"
    assert await runtime.in_db(rows) == 0
    assert await status_of(execution) == "running"


async def test_one_right_signature_among_others_is_enough() -> None:
    execution = await running()
    body = event(execution.remote_id)
    headers = signed(body, "msg_1")
    wrong = signature(body, "msg_1", headers["webhook-timestamp"], OTHER_SECRET)
    headers["webhook-signature"] = f"v1a,x {wrong} {headers['webhook-signature']}"
    assert (await deliver(body, headers)).status_code == 200
    assert await status_of(execution) == "succeeded"


@pytest.mark.parametrize("offset", [-290, 290])
async def test_a_clock_that_is_a_little_off_is_no_forgery(offset: int) -> None:
    execution = await running()
    body = event(execution.remote_id)
    assert (await deliver(body, signed(body, timestamp=int(time.time()) + offset))).status_code == 200


async def test_without_any_secret_nothing_is_believed(settings: Any) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = []
    body = event("vg_exec_1")
    assert (await deliver(body, signed(body, secret="whsec_"))).status_code == 401
    assert (await deliver(body)).status_code == 401
    assert await runtime.in_db(rows) == 0


async def test_a_replay_has_no_effect() -> None:
    execution = await running()
    body = event(execution.remote_id)
    headers = signed(body)
    answers = await asyncio.gather(*(deliver(body, headers) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert await runtime.in_db(rows) == 1
    ends = await runtime.in_db(
        lambda: Event.objects.filter(execution=execution, to_status="succeeded").count()
    )
    assert ends == 1
    other = await running()
    # The id of a message that was here already cannot carry another one.
    again = event(other.remote_id)
    assert (await deliver(again, signed(again, headers["webhook-id"]))).status_code == 200
    assert await status_of(other) == "running"


async def test_both_secrets_verify_while_one_replaces_the_other(settings: Any) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = []

    def endpoint(name: str, secret: str, **columns: Any) -> None:
        made = WebhookEndpoint(remote_id=name, url="https://rushes.example.org/webhooks/videogen/", **columns)
        made.secret = secret
        made.save()
        signing_secrets.forget()

    await runtime.in_db(endpoint, "old", SECRET)
    jobs = [await running() for _ in range(6)]
    bodies = [event(each.remote_id) for each in jobs]
    before = await deliver(bodies[0], signed(bodies[0], secret=SECRET))
    await runtime.in_db(endpoint, "new", OTHER_SECRET)
    during = [
        await deliver(body, signed(body, secret=secret))
        for body, secret in zip(bodies[1:5], [SECRET, OTHER_SECRET] * 2, strict=True)
    ]
    assert [each.status_code for each in (before, *during)] == [200] * 5

    def end_of_grace() -> None:
        from datetime import timedelta

        from django.utils import timezone

        past = timezone.now() - timedelta(seconds=1)
        WebhookEndpoint.objects.filter(remote_id="old").update(verifies_until=past)
        signing_secrets.forget()

    await runtime.in_db(end_of_grace)
    assert (await deliver(bodies[5], signed(bodies[5], secret=SECRET))).status_code == 401
    assert (await deliver(bodies[5], signed(bodies[5], secret=OTHER_SECRET))).status_code == 200


async def test_secrets_are_not_readable_in_the_database() -> None:
    def stored() -> str:
        made = WebhookEndpoint(remote_id="one", url="https://rushes.example.org/webhooks/videogen/")
        made.secret = SECRET
        made.save()
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM executions_webhookendpoint")
            return repr(cursor.fetchall())

    row = await runtime.in_db(stored)
    assert SECRET not in row
    assert SECRET.removeprefix("whsec_") not in row


# --- a database in trouble --------------------------------------------------------------------------------


def wait_no_longer_than(milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {milliseconds}")


def be_read_only() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA query_only = ON")


def be_full() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM")
        cursor.execute("PRAGMA page_count")
        cursor.execute(f"PRAGMA max_page_count = {cursor.fetchone()[0]}")


@pytest.mark.one_engine
@pytest.mark.parametrize("trouble", [be_read_only, be_full])
async def test_what_cannot_be_stored_is_asked_for_again_and_then_applied(trouble: Any) -> None:
    execution = await running()
    body = event(execution.remote_id, padding="x" * 200_000)
    headers = signed(body)
    await runtime.in_db(trouble)
    answer = await deliver(body, headers)
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert await status_of(execution) == "running"
    # The thread has given up that connection: the next one is sound.
    again = await deliver(body, headers)
    assert json.loads(again.content) == {"outcome": "applied"}
    assert await status_of(execution) == "succeeded"


@pytest.mark.one_engine
async def test_a_locked_database_is_said_and_the_same_delivery_applies_later() -> None:
    import sqlite3
    from contextlib import closing

    execution = await running()
    body = event(execution.remote_id)
    headers = signed(body)
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as other:
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        await runtime.in_db(wait_no_longer_than, 100)
        assert (await deliver(body, headers)).status_code == 503
        other.execute("ROLLBACK")
    assert json.loads((await deliver(body, headers)).content) == {"outcome": "applied"}
    assert await status_of(execution) == "succeeded"


async def test_a_crash_between_commit_and_answer_makes_the_next_one_a_repeat(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dashboard.webhooks import receiver

    execution = await running()
    body = event(execution.remote_id)
    headers = signed(body)

    def crash(*args: Any, **options: Any) -> None:
        raise KeyboardInterrupt("killed before the answer")

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
