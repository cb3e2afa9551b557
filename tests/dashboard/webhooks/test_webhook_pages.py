"""Webhook pages for admins: endpoints, deliveries, replays and rejected requests."""

from __future__ import annotations

import json
import time
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from standardwebhooks.webhooks import Webhook

from executions import policy
from executions.core import runtime
from executions.models import Execution, Rejection, WebhookDelivery, WebhookEndpoint
from executions.videogen import parse_event
from executions.webhooks import deliveries, endpoints, ingest, rejections, signing_secrets
from tests.dashboard.browsers import Browser, text
from tests.factories.files import file
from tests.factories.jobs import job
from tests.markup import links

OWN = "https://rushes.example.org/webhooks/videogen/"
SECRET = "whsec_" + "c2VjcmV0LW9mLXRoZS10ZXN0cy0zMi1ieXRlcy1sb25n"


def delivered(
    remote_id: str, event: str = "tool_execution.succeeded", secret: str = SECRET, **more: Any
) -> WebhookDelivery:
    """A signed delivery, ingested as the receiver does."""
    body = json.dumps(
        {
            "event": event,
            "toolExecutionId": remote_id,
            "toolType": "GENERATE_IMAGE",
            "occurredAt": int(time.time()),
            **more,
        }
    )
    webhook_id, now = f"msg_{uuid.uuid4().hex}", timezone.now()
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(webhook_id, now, body),
    }
    ingest.receive(webhook_id, parse_event(body.encode()), headers, body.encode())
    return WebhookDelivery.objects.get(webhook_id=webhook_id)


def stored_endpoints() -> list[WebhookEndpoint]:
    return list(WebhookEndpoint.objects.order_by("created_at"))


async def registered(account: Any) -> list[dict[str, Any]]:
    return account.call("GET", "/v1/webhooks/endpoints").json()["endpoints"]


async def clean(account: Any) -> None:
    for each in await registered(account):
        account.call("DELETE", f"/v1/webhooks/endpoints/{each['endpointId']}")


async def test_an_endpoint_is_registered_rotated_and_deleted(
    account: Any, ada_browser: Browser, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://rushes.example.org"
    await clean(account)
    assert "No webhook endpoint of Rushes is registered" in text(
        await ada_browser.aget("/settings/webhooks/")
    )
    form = {"url": OWN, "events": ["tool_execution.succeeded"], "description": "tests"}
    assert (await ada_browser.apost("/settings/webhooks/", form)).status_code == 303
    [there], [ours] = await registered(account), await runtime.in_db(stored_endpoints)
    assert (there["url"], there["events"]) == (OWN, ["tool_execution.succeeded"])
    page = await ada_browser.aget("/settings/webhooks/")
    assert f"…{ours.secret_last4}" in text(page)
    assert "verified by Rushes" in text(page)
    assert ours.secret not in page.content.decode(), "a secret is never shown again"
    assert "No webhook endpoint of Rushes" not in text(page)

    await ada_browser.apost(f"/settings/webhooks/{there['endpointId']}/rotate/")
    [fresh], (old, new) = await registered(account), await runtime.in_db(stored_endpoints)
    assert fresh["endpointId"] == new.remote_id != old.remote_id
    assert fresh["events"] == ["tool_execution.succeeded"]
    assert old.verifies_until > timezone.now() + timedelta(hours=1)
    signing_secrets.clear_cache()
    assert {old.secret, new.secret} <= set(await runtime.in_db(signing_secrets.all_secrets)), (
        "both secrets verify deliveries"
    )

    await ada_browser.apost(f"/settings/webhooks/{new.remote_id}/delete/")
    assert await registered(account) == []
    assert "deleted; verifies until" in text(await ada_browser.aget("/settings/webhooks/"))


async def test_the_real_service_requires_https(account: Any, ada_browser: Browser, settings: Any) -> None:
    settings.USES_SANDBOX = False
    form = {"url": OWN.replace("https", "http"), "events": ["tool_execution.succeeded"]}
    answer = await ada_browser.apost("/settings/webhooks/", form)
    assert answer.status_code == 422
    assert "VideoGen only sends to https addresses." in text(answer)


async def test_form_errors_are_shown_at_the_field(account: Any, ada_browser: Browser) -> None:
    answer = await ada_browser.apost("/settings/webhooks/", {"url": "nonsense at all", "events": []})
    assert answer.status_code == 422
    assert "Enter a valid URL" in text(answer)
    assert "nonsense at all" in answer.content.decode()


async def test_an_endpoint_with_another_address_is_reported(
    account: Any, ada_browser: Browser, settings: Any
) -> None:
    settings.PUBLIC_URL = "https://rushes.example.org"
    await clean(account)
    await endpoints.register("http://127.0.0.1:9/other", actor=policy.SYSTEM)
    assert f"The registered endpoint has another address than {OWN}" in text(
        await ada_browser.aget("/settings/webhooks/")
    )


def test_without_videogen_the_page_says_so(ada_browser: Browser) -> None:
    assert "Could not read the endpoints" in text(ada_browser.get("/settings/webhooks/"))


# --- deliveries -------------------------------------------------------------------------------------------


def test_deliveries_are_filtered_and_paged(ada_browser: Browser, people: Any) -> None:
    execution = job(people.ann, "running")
    applied = delivered(execution.remote_id)
    for _ in range(51):
        delivered(f"vg_exec_{uuid.uuid4().hex}")
    page = text(ada_browser.get("/settings/deliveries/"))
    assert page.count("unknown job") >= 50
    assert "Older" in page
    only = ada_browser.get("/settings/deliveries/", {"outcome": "applied"})
    assert f"/settings/deliveries/{applied.pk}/" in only.content.decode()
    assert text(only).count("tool_execution.succeeded") == 2, "one row, and the option of the filter"


def test_deliveries_are_filtered_by_file(ada_browser: Browser) -> None:
    ours = file()
    about_ours = delivered("", "file.updated", fileId=ours.remote_id, file={"fileId": ours.remote_id})
    about_another = delivered("", "file.updated", fileId="vg_other", file={"fileId": "vg_other"})
    for identifier in (ours.remote_id, str(ours.pk)):
        page = ada_browser.get("/settings/deliveries/", {"file": identifier}).content.decode()
        assert f"/settings/deliveries/{about_ours.pk}/" in page
        assert f"/settings/deliveries/{about_another.pk}/" not in page
    assert f"/files/{ours.pk}/" in links(ada_browser.get(f"/settings/deliveries/{about_ours.pk}/"))
    assert "vg_other" in text(ada_browser.get(f"/settings/deliveries/{about_another.pk}/"))
    assert "No matches." in text(ada_browser.get("/settings/deliveries/", {"file": str(uuid.uuid4())}))


def test_queries_of_the_list_do_not_grow(
    ada_browser: Browser, people: Any, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        delivered(job(people.ann, "running").remote_id)
    ada_browser.get("/settings/deliveries/")  # the visit itself is written once a minute
    with django_assert_max_num_queries(6):
        ada_browser.get("/settings/deliveries/")


def test_a_replay_applies_a_pending_delivery_and_a_second_one_changes_nothing(
    ada_browser: Browser, people: Any, settings: Any
) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = [SECRET]
    execution = job(people.ann, "running")
    delivery = delivered("vg_exec_unknown_yet")
    # The job's id is changed in the database, which does not apply pending deliveries.
    body = bytes(delivery.body).replace(b"vg_exec_unknown_yet", execution.remote_id.encode())
    now = delivery.received_at
    signature = Webhook(SECRET).sign(delivery.webhook_id, now, body.decode())
    headers = {
        **delivery.headers,
        "webhook-signature": signature,
        "webhook-timestamp": str(int(now.timestamp())),
    }
    WebhookDelivery.objects.filter(pk=delivery.pk).update(body=body, headers=headers)
    page = text(ada_browser.get(f"/settings/deliveries/{delivery.pk}/"))
    assert "running → succeeded" in page
    assert "Valid." in page
    ada_browser.post("/settings/deliveries/replay/", {"delivery": delivery.pk})
    assert Execution.objects.get(pk=execution.pk).status == "succeeded"
    assert WebhookDelivery.objects.get(pk=delivery.pk).outcome == "applied"
    answer = ada_browser.client.post("/settings/deliveries/replay/", {"delivery": delivery.pk}, follow=True)
    assert "Nothing to change" in text(answer)


def test_a_delivery_with_an_unknown_secret_is_not_replayed(
    ada_browser: Browser, people: Any, settings: Any
) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = ["whsec_" + "YW5vdGhlci1zZWNyZXQtb2YtMzItYnl0ZXMtbGVuZ3Ro"]
    delivery = delivered("vg_exec_unknown_yet")
    assert not deliveries.check(delivery).can_replay
    ((_, message),) = deliveries.replay([delivery], actor=policy.SYSTEM)
    assert "cannot be checked again" in message


def test_exactly_the_selected_deliveries_are_replayed_and_reported(
    ada_browser: Browser, people: Any, settings: Any
) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = [SECRET]
    delivery = [delivered(f"vg_exec_{number}") for number in range(3)]
    answer = ada_browser.post("/settings/deliveries/replay/", {"delivery": [delivery[0].pk, delivery[2].pk]})
    assert text(answer).count("Its job is still unknown.") == 2


def test_deliveries_are_filtered_by_a_file_and_by_videogens_id_of_a_job(
    ada_browser: Browser, people: Any
) -> None:
    execution, upload = job(people.ann, "running"), file()
    of_job = delivered(execution.remote_id)
    of_file = delivered("", "file.upload.completed", fileId=upload.remote_id)
    unknown = delivered("vg_exec_unknown_yet")

    def shown(query: str) -> set[int]:
        page = ada_browser.get(f"/settings/deliveries/?{query}")
        return {
            number
            for number in (of_job.pk, of_file.pk, unknown.pk)
            if f"/settings/deliveries/{number}/" in links(page)
        }

    assert shown("") == {of_job.pk, of_file.pk, unknown.pk}
    assert shown(f"job={execution.remote_id}") == shown(f"job={execution.pk}") == {of_job.pk}
    assert shown("job=vg_exec_unknown_yet") == {unknown.pk}
    assert shown(f"file={upload.pk}") == shown(f"file={upload.remote_id}") == {of_file.pk}
    assert shown(f"file={uuid.uuid4()}") == shown("job=vg_exec_nothing") == set()


def test_an_open_list_of_deliveries_fetches_the_new_ones(ada_browser: Browser, people: Any) -> None:
    first = delivered("vg_exec_1")
    url = f"/settings/deliveries/?newer={first.pk}"
    assert ada_browser.get(url).status_code == 204
    second = delivered("vg_exec_2")
    answer = ada_browser.get(url)
    assert f"/settings/deliveries/{second.pk}/" in answer.content.decode()
    assert f"/settings/deliveries/{first.pk}/" not in answer.content.decode()
    for number in range(50):
        delivered(f"vg_exec_more_{number}")
    assert ada_browser.get(url)["HX-Refresh"] == "true", "more than a page: the list is loaded again"


def test_a_repeat_is_counted_on_the_delivery(db: None) -> None:
    delivery = delivered("vg_exec_1")
    event = parse_event(bytes(delivery.body))
    assert ingest.receive(delivery.webhook_id, event, delivery.headers, bytes(delivery.body)) == ingest.REPEAT
    delivery.refresh_from_db()
    assert delivery.repeats == 1


def test_pruning_removes_bodies_and_leaves_rows_and_events(db: None, people: Any, settings: Any) -> None:
    settings.DELIVERY_RETENTION_DAYS = 30
    execution = job(people.ann, "running")
    old, young, waiting = (
        delivered(execution.remote_id),
        delivered("vg_exec_y", "x.unknown"),
        delivered("vg_exec_w"),
    )
    long_ago = timezone.now() - timedelta(days=31)
    WebhookDelivery.objects.filter(pk__in=[old.pk, waiting.pk]).update(received_at=long_ago)
    events = execution.events.count()
    assert deliveries.prune() == 1
    assert [bool(WebhookDelivery.objects.get(pk=each.pk).body) for each in (old, young, waiting)] == [
        False,
        True,
        True,
    ]
    assert execution.events.count() == events


def test_rejected_requests_are_counted_with_one_sample(
    ada_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        rejections, "is_due", lambda: False
    )  # each request of this client has its own event loop
    rejections.flush()
    Rejection.objects.all().delete()
    for number in range(3):
        ada_browser.post("/webhooks/videogen/", f"forged {number}", content_type="application/json")
    rejections.flush()
    [row] = Rejection.objects.all()
    assert (row.reason, row.count) == ("signature", 3)
    assert row.sample["begins"] == "forged 2"
    assert "signature" in text(ada_browser.get("/settings/webhooks/"))


def test_the_command_requires_a_key(db: None, settings: Any) -> None:
    settings.USES_SANDBOX = True
    with pytest.raises(CommandError, match="VIDEOGEN_API_KEY"):
        call_command("webhooks", "list")
