"""The webhook receiver: the effect of valid deliveries, and the responses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import AsyncClient

from executions import policy
from executions.core import runtime
from executions.lifecycle import status_machine
from executions.models import Event, Execution, WebhookDelivery
from executions.models import File as LibraryFile
from executions.webhooks import deliveries
from tests.dashboard.browsers import Browser
from tests.dashboard.sockets import open_socket, receive_until
from tests.factories.deliveries import SECRET, URL, deliver, event, signed
from tests.factories.files import file
from tests.factories.jobs import job
from tests.markup import every

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _secret(settings: Any) -> None:
    settings.VIDEOGEN_WEBHOOK_SECRETS = [SECRET]


def outcome(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)["outcome"]


async def fresh(execution: Execution) -> Execution:
    return await runtime.in_db(Execution.objects.get, pk=execution.pk)


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
async def test_a_final_status_is_applied_and_the_delivery_stored_unchanged(status: str) -> None:
    execution = await runtime.in_db(job, None, "running")
    body = event(execution.remote_id, f"tool_execution.{status}", error={"message": "It rained."})
    headers = signed(body, "msg_1")
    assert outcome(await deliver(body, headers)) == "applied"
    assert (await fresh(execution)).status == status
    delivery = await runtime.in_db(WebhookDelivery.objects.get)
    assert (delivery.webhook_id, bytes(delivery.body), delivery.headers) == ("msg_1", body, headers)
    assert delivery.execution_id == execution.pk
    applied = await runtime.in_db(lambda: Event.objects.get(execution=execution, to_status=status))
    assert (applied.source, applied.delivery_id) == ("webhook", delivery.pk)


async def test_a_final_status_reaches_open_pages(ann_browser: Browser) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "running", "a pier that is awaited")
    page = await open_socket(ann_browser, "studio")
    await deliver(event(execution.remote_id))
    frame = await receive_until(page, "a pier that is awaited")
    assert every(frame, f'[hx-swap-oob="delete:#job-{execution.pk}"]')
    assert every(frame, '[hx-swap-oob="afterbegin:#finished"]')
    await page.disconnect()


async def test_a_repeat_is_acknowledged_and_changes_nothing() -> None:
    execution = await runtime.in_db(job, None, "running")
    body = event(execution.remote_id)
    headers = signed(body)
    assert [outcome(await deliver(body, headers)) for _ in range(3)] == ["applied", "repeat", "repeat"]
    assert await runtime.in_db(WebhookDelivery.objects.count) == 1


async def test_a_delivery_that_fails_here_is_stored_and_applied_by_the_next_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execution = await runtime.in_db(job, None, "running")
    body = event(execution.remote_id)
    headers = signed(body, "msg_1")
    with monkeypatch.context() as broken:
        broken.setattr(status_machine, "apply", _raise)
        assert [(await deliver(body, headers)).status_code for _ in range(2)] == [503, 503]
    delivery = await runtime.in_db(WebhookDelivery.objects.get)
    assert (delivery.outcome, bytes(delivery.body), delivery.headers, delivery.repeats) == (
        "failed",
        body,
        headers,
        1,
    )
    assert (await fresh(execution)).status == "running"
    assert outcome(await deliver(body, headers)) == "applied"
    assert (await fresh(execution)).status == "succeeded"
    assert outcome(await deliver(body, headers)) == "repeat"
    assert await runtime.in_db(WebhookDelivery.objects.values_list("outcome", "repeats").get) == (
        "applied",
        3,
    )


async def test_a_failed_delivery_is_replayed_after_a_fix(
    ada_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = await runtime.in_db(job, None, "running")
    with monkeypatch.context() as broken:
        broken.setattr(status_machine, "apply", _raise)
        await deliver(event(execution.remote_id))
        delivery = await runtime.in_db(WebhookDelivery.objects.get)
        results = await runtime.in_db(deliveries.replay, [delivery], actor=policy.SYSTEM)
    assert results == [(delivery, "The replay failed. See the log for the reason.")]
    assert await runtime.in_db(deliveries.replay, [delivery], actor=policy.SYSTEM) == [(delivery, "Applied.")]
    assert (await fresh(execution)).status == "succeeded"
    await runtime.in_db(delivery.refresh_from_db)
    assert (delivery.outcome, delivery.execution_id) == ("applied", execution.pk)


def _raise(*_: Any, **__: Any) -> None:
    raise AttributeError("a bug in Rushes")


async def test_another_final_status_is_too_late() -> None:
    execution = await runtime.in_db(job, None, "succeeded")
    assert outcome(await deliver(event(execution.remote_id, "tool_execution.failed"))) == "too late"
    assert (await fresh(execution)).status == "succeeded"


async def test_unknown_jobs_and_events_are_stored_and_acknowledged() -> None:
    assert outcome(await deliver(event("vg_exec_external"))) == "unknown job"
    assert outcome(await deliver(event("x", "tool_execution.paused_for_lunch"))) == "unknown event"
    assert (
        outcome(await deliver(b'{"event": "account.renamed", "more": {"deep": [1, 2]}}')) == "unknown event"
    )
    assert await runtime.in_db(WebhookDelivery.objects.count) == 3


async def test_updates_of_tracked_files_are_stored() -> None:
    picture = await runtime.in_db(file, "vg_file_ours", type="IMAGE")
    wire = {"fileId": "vg_file_ours", "type": "IMAGE", "displayName": "Pier at noon"}
    body = json.dumps({"event": "file.playback_ready", "fileId": "vg_file_ours", "file": wire}).encode()
    assert outcome(await deliver(body)) == "file"
    assert (await runtime.in_db(LibraryFile.objects.get, pk=picture.pk)).display_name == "Pier at noon"
    others = json.dumps(
        {"event": "file.playback_ready", "file": {**wire, "fileId": "vg_file_theirs"}}
    ).encode()
    assert outcome(await deliver(others)) == "file"
    assert not await runtime.in_db(LibraryFile.objects.filter(remote_id="vg_file_theirs").exists)


async def test_the_response_is_json_without_a_session() -> None:
    answer = await deliver(event("vg_exec_1"))
    assert answer["Content-Type"] == "application/json"
    assert not answer.cookies
    assert "Location" not in answer


@pytest.mark.parametrize("method", ["get", "head", "put", "patch", "delete", "options"])
async def test_only_post_is_allowed(method: str) -> None:
    answer = await getattr(AsyncClient(), method)(URL)
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


async def test_secrets_of_registered_endpoints_verify_too(settings: Any) -> None:
    from executions.models import WebhookEndpoint
    from executions.webhooks import signing_secrets

    settings.VIDEOGEN_WEBHOOK_SECRETS = []
    signing_secrets.clear_cache()
    body = event("vg_exec_1")
    assert (await deliver(body)).status_code == 401

    def register() -> None:
        endpoint = WebhookEndpoint(
            remote_id="vg_endpoint_1", url="https://rushes.example.org/webhooks/videogen/"
        )
        endpoint.secret = SECRET
        endpoint.save()
        signing_secrets.clear_cache()

    await runtime.in_db(register)
    assert outcome(await deliver(body)) == "unknown job"
