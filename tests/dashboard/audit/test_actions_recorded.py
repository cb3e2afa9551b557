"""Every action of a person writes an event with actor, address and changes, and never a secret."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dashboard.config.environment import Environment
from executions.core import runtime
from executions.models import Event
from executions.team import settings as team_settings
from tests.dashboard.browsers import Browser
from tests.executions.files.media_server import serving
from tests.factories import planning
from tests.factories.deliveries import SECRET
from tests.factories.files import file
from tests.factories.jobs import job

PASSWORD = "ann's own password"


def last(kind: str) -> Event:
    return Event.objects.filter(kind=kind).latest("pk")


def test_signing_in_and_out_are_recorded_with_the_address(people: Any, client: Client) -> None:
    client.post("/sign-in/", {"username": "ann", "password": PASSWORD}, REMOTE_ADDR="192.0.2.7")
    event = last("signed in")
    assert (event.actor, event.address, event.subject_name) == (people.ann, "192.0.2.7", "ann")
    client.post("/sign-out/", REMOTE_ADDR="192.0.2.8")
    assert (last("signed out").actor, last("signed out").address) == (people.ann, "192.0.2.8")


def test_a_failed_sign_in_stores_the_name_and_never_the_password(people: Any, client: Client) -> None:
    name = "ann\u0000\u202e" + "x" * 300
    client.post("/sign-in/", {"username": name, "password": "a guess"}, REMOTE_ADDR="192.0.2.9")
    event = last("sign-in failed")
    assert (event.actor, event.address, event.source) == (None, "192.0.2.9", "system")
    assert event.subject_name == ("ann" + "x" * 300)[:150]
    assert "a guess" not in str(Event.objects.values().get(pk=event.pk))


def test_throttled_sign_ins_do_not_fill_the_audit_log(people: Any, client: Client) -> None:
    for _ in range(30):
        client.post("/sign-in/", {"username": "ann", "password": "a guess"})
    assert Event.objects.filter(kind="sign-in failed").count() == 10


@pytest.mark.django_db(transaction=True)
async def test_a_download_is_recorded_and_a_view_is_not(ann_browser: Browser, settings: Any) -> None:
    settings.TRUSTED_PROXIES = Environment({"T": "127.0.0.1"}).networks("T")

    async def events() -> list[tuple[str, int, str]]:
        return await runtime.in_db(lambda: list(Event.objects.values_list("kind", "actor", "address")))

    async with serving(b"a pier") as media:
        made = await runtime.in_db(media.file)
        await ann_browser.aget(f"/files/{made.pk}/preview")
        await ann_browser.async_client.head(f"/files/{made.pk}/download")
        assert await events() == [], "viewing a file is not a download"
        answer = await ann_browser.aget(
            f"/files/{made.pk}/download", headers={"X-Forwarded-For": "192.0.2.7"}
        )
        assert b"".join([piece async for piece in answer.streaming_content]) == b"a pier"
    assert await events() == [("file downloaded", ann_browser.user.pk, "192.0.2.7")]


def test_copying_a_public_link_is_recorded(ben_browser: Browser) -> None:
    assert ben_browser.post(f"/files/{file().pk}/copied/").status_code == 404
    opened = file(type="VIDEO", public_since=timezone.now())
    assert ben_browser.post(f"/files/{opened.pk}/copied/").status_code == 204
    assert (last("public link copied").file, last("public link copied").actor) == (opened, ben_browser.user)


def test_a_refused_cancel_request_is_shown_on_the_job(ann_browser: Browser, ben_browser: Browser) -> None:
    made = job(ann_browser.user, "running")
    assert ben_browser.post(f"/executions/{made.pk}/cancel/").status_code == 403
    event = made.events.latest("pk")
    assert (event.kind, event.actor, event.to_status) == ("cancel refused", ben_browser.user, "running")
    assert (
        "cancel request by ben denied: not permitted"
        in ann_browser.get(f"/executions/{made.pk}/").content.decode()
    )


def test_re_running_an_unconfirmed_job_records_the_acceptance(ann_browser: Browser) -> None:
    lost, done = job(ann_browser.user, "unconfirmed"), job(ann_browser.user, "succeeded")
    for old, knowingly in ((lost, True), (done, False)):
        ann_browser.post(f"/executions/{old.pk}/again/?key=x")
        assert last("started").detail == {"again": str(old.pk), "knowingly": knowingly}


def test_starting_undoing_and_cancelling_a_batch_are_recorded_once(ann_browser: Browser) -> None:
    plan = planning.plan(ann_browser.user)
    ann_browser.post(f"/batches/plans/{plan.pk}/")
    plan.refresh_from_db()
    event = last("batch started")
    assert (event.actor, event.subject_type, event.subject_id) == (
        ann_browser.user,
        "batch",
        str(plan.batch_id),
    )
    ann_browser.post(f"/batches/{plan.batch_id}/undo/")
    ann_browser.post(f"/batches/{plan.batch_id}/undo/")
    assert Event.objects.filter(kind="batch undone").count() == 1
    batch = planning.batch(ann_browser.user)
    cancel_request = planning.cancel_request(batch, actor=ann_browser.user)
    for _ in range(2):
        ann_browser.post(f"/batches/{batch.pk}/cancel/{cancel_request.pk}/")
    assert [event.detail["jobs"] for event in Event.objects.filter(kind="batch cancelled")] == [
        len(cancel_request.ids)
    ]


def test_a_setting_records_before_and_after(ada_browser: Browser) -> None:
    ada_browser.post("/settings/people/choices/", {"team_cancels": "on"})
    ada_browser.post("/settings/people/choices/", {"team_cancels": "on"})
    assert [each.detail for each in Event.objects.filter(kind="setting changed")] == [
        {"before": False, "after": True}
    ]
    assert last("setting changed").subject_name == team_settings.TEAM_CANCELS


@pytest.mark.django_db(transaction=True)
async def test_webhook_endpoints_and_their_addresses(
    account: Any, ada_browser: Browser, settings: Any
) -> None:
    settings.USES_SANDBOX = True
    settings.TRUSTED_PROXIES = Environment({"T": "127.0.0.1"}).networks("T")
    endpoint = {"url": "http://127.0.0.1:9/webhooks/videogen/", "events": ["tool_execution.succeeded"]}
    await ada_browser.apost("/settings/webhooks/", endpoint, headers={"X-Forwarded-For": "192.0.2.7"})
    made = await runtime.in_db(last, "endpoint made")
    assert (made.actor_id, made.subject_name) == (ada_browser.user.pk, endpoint["url"])
    assert made.address == "192.0.2.7", "the address survives the event loop and database threads"
    remote_id = made.detail["endpoint"]
    await ada_browser.apost(f"/settings/webhooks/{remote_id}/rotate/")
    rotated = await runtime.in_db(last, "endpoint rotated")
    assert rotated.detail["instead_of"] == remote_id
    await ada_browser.apost(f"/settings/webhooks/{rotated.detail['endpoint']}/delete/")
    deleted = await runtime.in_db(last, "endpoint deleted")
    assert (deleted.actor_id, deleted.subject_name) == (ada_browser.user.pk, endpoint["url"])
    everything = await runtime.in_db(lambda: str(list(Event.objects.values())))
    assert "whsec_" not in everything
    assert SECRET not in everything


# --- behind a proxy ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("peer", "forwarded", "seen"),
    [
        ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "1.2.3.4, 192.0.2.7", "192.0.2.7"),
        ("10.0.0.1", "1.2.3.4, 192.0.2.7, 10.0.0.2", "192.0.2.7"),
        ("10.0.0.1", "10.0.0.3", "10.0.0.3"),
        ("10.0.0.1", "made up, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("192.0.2.9", "1.2.3.4", "192.0.2.9"),
    ],
)
def test_only_trusted_proxies_may_forward_addresses(
    peer: str, forwarded: str, seen: str, people: Any, client: Client, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = Environment({"T": "10.0.0.0/8"}).networks("T")
    client.post(
        "/sign-in/", {"username": "ann", "password": "x"}, REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=forwarded
    )
    assert last("sign-in failed").address == seen


def test_without_a_proxy_forwarded_addresses_are_ignored(people: Any, client: Client) -> None:
    for number in range(11):
        answer = client.post(
            "/sign-in/", {"username": "ann", "password": "x"}, HTTP_X_FORWARDED_FOR=f"192.0.2.{number}"
        )
    assert answer.status_code == 429, "a forged address does not avoid the throttle"
    assert last("sign-in failed").address == "127.0.0.1"
