"""A delivery is stored once, exactly as received, and applied in the same transaction."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from executions.lifecycle import observations, status_machine, transitions
from executions.models import Event, File, WebhookDelivery
from executions.models.event import Source
from executions.models.file import State
from executions.videogen import parse_event
from executions.webhooks import ingest
from tests.factories import deliveries, jobs

pytestmark = pytest.mark.django_db


def store_failed(payload: dict[str, Any]) -> WebhookDelivery:
    """A delivery that an error in Rushes prevented from being applied."""
    body = json.dumps(payload).encode()
    ingest.store_failed("msg_1", parse_event(body), {}, body)
    return WebhookDelivery.objects.get()


@pytest.mark.parametrize("end", ["succeeded", "failed", "cancelled"])
def test_a_final_status_is_applied_and_its_event_names_the_delivery(end: str) -> None:
    job = jobs.running("vg_exec_1")

    assert deliveries.ingest_outcome("msg_1", "vg_exec_1", end, error={"message": "broke"}) == "applied"

    now, delivery = jobs.reload(job), WebhookDelivery.objects.get()
    assert now.status == end
    assert (delivery.execution, delivery.outcome, delivery.event) == (now, "applied", f"tool_execution.{end}")
    event = Event.objects.filter(execution=job).last()
    assert event is not None
    assert (event.source, event.delivery, event.to_status) == (Source.WEBHOOK, delivery, end)
    assert (now.error or {}).get("message") == ("broke" if end == "failed" else None)
    assert now.last_answer == json.loads(bytes(delivery.body))


def test_a_delivery_is_stored_as_received() -> None:
    body = b'{ "event":"tool_execution.failed",  "toolExecutionId":"vg_exec_9", "extra":[1.50] }'

    deliveries.ingest("msg_1", body)

    delivery = WebhookDelivery.objects.get()
    assert bytes(delivery.body) == body
    assert delivery.headers == {"webhook-id": "msg_1", "webhook-timestamp": "1779962412"}
    assert delivery.remote_execution_id == "vg_exec_9"
    assert delivery.occurred_at is None


def test_the_same_message_id_is_a_repeat_whatever_its_body() -> None:
    job = jobs.running("vg_exec_1")
    deliveries.ingest_outcome("msg_1", "vg_exec_1", "failed")

    assert deliveries.ingest_outcome("msg_1", "vg_exec_1", "succeeded") == ingest.REPEAT

    assert WebhookDelivery.objects.count() == 1
    assert jobs.reload(job).status == "failed"


def test_another_message_about_a_finished_job_changes_nothing() -> None:
    job = jobs.running("vg_exec_1")
    deliveries.ingest_outcome("msg_1", "vg_exec_1", "succeeded")

    assert deliveries.ingest_outcome("msg_2", "vg_exec_1", "succeeded") == "too late"
    assert deliveries.ingest_outcome("msg_3", "vg_exec_1", "failed") == "too late"

    assert jobs.final_statuses(job) == ["succeeded"]
    assert WebhookDelivery.objects.filter(execution=job).count() == 3


def test_a_delivery_and_its_effect_are_one_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    job = jobs.running("vg_exec_1")

    def fails(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(transitions, "store_results", fails)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        deliveries.ingest_outcome("msg_1", "vg_exec_1", "succeeded")
    monkeypatch.undo()

    assert WebhookDelivery.objects.count() == 0
    assert jobs.reload(job).status == "running"
    assert deliveries.ingest_outcome("msg_1", "vg_exec_1", "succeeded") == "applied"


def test_a_delivery_before_the_response_waits_for_its_job() -> None:
    job = jobs.sending()
    assert deliveries.ingest_outcome("msg_1", "vg_exec_1", "succeeded") == "unknown job"
    assert deliveries.ingest_outcome("msg_2", "vg_exec_2", "failed") == "unknown job"

    status_machine.apply(job.pk, observations.Accepted(remote_id="vg_exec_1"))
    ingest.apply_pending("vg_exec_1")

    assert jobs.reload(job).status == "succeeded"
    assert jobs.replay_status(job) == "succeeded"
    outcomes = dict(WebhookDelivery.objects.values_list("webhook_id", "outcome"))
    assert outcomes == {"msg_1": "applied", "msg_2": "unknown job"}
    last = Event.objects.filter(execution=job).last()
    assert last is not None
    assert last.delivery == WebhookDelivery.objects.get(webhook_id="msg_1")


def test_a_job_that_became_known_during_the_receipt_is_found_after_the_commit(
    django_capture_on_commit_callbacks: Any,
) -> None:
    job = jobs.sending()

    with django_capture_on_commit_callbacks(execute=True):
        assert deliveries.ingest_outcome("msg_1", "vg_exec_1", "failed") == "unknown job"
        status_machine.apply(job.pk, observations.Accepted(remote_id="vg_exec_1"))

    assert jobs.reload(job).status == "failed"


def test_a_failure_after_the_commit_does_not_refuse_the_delivery(
    django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(ingest, "apply_pending", fails)

    with django_capture_on_commit_callbacks(execute=True):
        assert deliveries.ingest_outcome("msg_1", "vg_exec_1", "failed") == "unknown job"


def test_of_several_pending_deliveries_the_first_decides() -> None:
    job = jobs.sending()
    deliveries.ingest_outcome("msg_1", "vg_exec_1", "failed")
    deliveries.ingest_outcome("msg_2", "vg_exec_1", "succeeded")
    status_machine.apply(job.pk, observations.Accepted(remote_id="vg_exec_1"))

    ingest.apply_pending("vg_exec_1")
    ingest.apply_pending("vg_exec_1")

    assert jobs.reload(job).status == "failed"
    assert list(WebhookDelivery.objects.order_by("id").values_list("outcome", flat=True)) == [
        "applied",
        "too late",
    ]


@pytest.mark.parametrize(
    "payload",
    [
        {"event": "assistant_message.created", "id": "x"},
        {"event": "tool_execution.succeeded"},
        {"event": "tool_execution.paused", "toolExecutionId": "vg_exec_1"},
        {"event": "file.playback_ready"},
        {
            "event": "workflow_run.succeeded",
            "workflowRunId": "vg_work_1",
            "occurredAt": "2026-11-23T10:00:00Z",
        },
    ],
    ids=str,
)
def test_an_unknown_event_is_stored_and_changes_nothing(payload: dict[str, Any]) -> None:
    job = jobs.running("vg_exec_1")

    assert deliveries.ingest("msg_1", json.dumps(payload).encode()) == "unknown event"

    delivery = WebhookDelivery.objects.get()
    assert (delivery.event, delivery.remote_file_id) == (payload["event"], "")
    assert delivery.remote_execution_id == payload.get("toolExecutionId", "")
    assert jobs.reload(job).status == "running"


def test_a_file_event_updates_a_tracked_file_and_ignores_others() -> None:
    File.objects.create(remote_id="vg_file_1", type="IMAGE", display_name="before")
    expires = timezone.now().timestamp() + 3600

    def body(file_id: str) -> bytes:
        source = {"status": "ready", "url": "https://media.example/1.png", "expiresAt": expires, "width": 64}
        file = {"fileId": file_id, "type": "IMAGE", "displayName": "after", "downloadSource": source}
        return json.dumps({"event": "file.download_ready", "fileId": file_id, "file": file}).encode()

    assert deliveries.ingest("msg_1", body("vg_file_1")) == "file"
    assert deliveries.ingest("msg_2", body("vg_file_untracked")) == "file"

    file = File.objects.get()
    assert (file.remote_id, file.display_name, file.width) == ("vg_file_1", "after", 64)
    assert file.snapshot["downloadSource"]["url"] == "https://media.example/1.png"


@pytest.mark.parametrize(
    ("event", "state"), [("file.analysis_completed", "FULFILLED"), ("file.analysis_failed", "REJECTED")]
)
def test_the_end_of_an_analysis_is_stored(event: str, state: str) -> None:
    File.objects.create(remote_id="vg_file_1", type="IMAGE")
    payload = {"event": event, "fileId": "vg_file_1", "file": {"fileId": "vg_file_1", "type": "IMAGE"}}

    assert deliveries.ingest("msg_1", json.dumps(payload).encode()) == "file"

    assert File.objects.get().analysis_state == state


def test_an_upload_fails_only_when_an_event_says_so() -> None:
    file = File.objects.create(remote_id="vg_file_1", type="IMAGE", state=State.PROCESSING)

    def receive(webhook_id: str, event: str) -> None:
        wire = {"fileId": "vg_file_1", "type": "IMAGE"}
        payload = {"event": event, "fileId": "vg_file_1", "file": wire}
        deliveries.ingest(webhook_id, json.dumps(payload).encode())
        file.refresh_from_db()

    receive("msg_1", "file.upload.completed")
    assert (file.state, file.problem) == (State.PROCESSING, "")
    receive("msg_2", "file.upload.failed")
    assert (file.state, file.problem) == (State.FAILED, "VideoGen could not process this upload.")


def test_a_failed_delivery_about_a_file_is_applied_later() -> None:
    File.objects.create(remote_id="vg_file_1", type="IMAGE", display_name="before")
    file = {"fileId": "vg_file_1", "type": "IMAGE", "displayName": "after"}
    failed = store_failed({"event": "file.download_ready", "fileId": "vg_file_1", "file": file})
    assert failed.outcome == "failed"

    assert ingest.reapply(failed) == "file"

    failed.refresh_from_db()
    assert (failed.outcome, File.objects.get().display_name) == ("file", "after")


def test_a_failed_delivery_about_an_unknown_job_waits_for_it() -> None:
    failed = store_failed(deliveries.outcome("vg_exec_1", "failed"))
    assert ingest.reapply(failed) == "unknown job"
    job = jobs.accepted("vg_exec_1")

    ingest.apply_pending("vg_exec_1")

    failed.refresh_from_db()
    assert (failed.outcome, failed.execution) == ("applied", job)
    assert jobs.reload(job).status == "failed"


def test_a_second_replay_does_not_change_the_outcome_of_a_delivery() -> None:
    job = jobs.running("vg_exec_1")
    deliveries.ingest_outcome("msg_1", "vg_exec_1", "failed")
    delivery = WebhookDelivery.objects.get()

    assert ingest.reapply(delivery) == "too late"

    delivery.refresh_from_db()
    assert (delivery.outcome, delivery.execution) == ("applied", job)


def test_a_delivery_that_is_stored_already_is_not_marked_as_failed() -> None:
    deliveries.ingest_outcome("msg_1", "vg_exec_1", "failed")

    store_failed(deliveries.outcome("vg_exec_1", "failed"))

    assert WebhookDelivery.objects.get().outcome == "unknown job"


def test_an_event_without_a_time_ends_the_job_at_the_time_of_receipt() -> None:
    job = jobs.running("vg_exec_1")
    before = timezone.now()

    deliveries.ingest_outcome("msg_1", "vg_exec_1", "failed", occurredAt="yesterday")

    now = jobs.reload(job)
    assert now.ended_at is not None
    assert before <= now.ended_at <= timezone.now()


def test_results_are_stored_in_order_with_their_files() -> None:
    job = jobs.running("vg_exec_1")
    results = [
        {"fileId": "vg_file_b", "type": "IMAGE", "file": {"fileId": "vg_file_b", "displayName": "b.png"}},
        {"storageFileId": "vg_file_a", "type": "IMAGE"},
        {"type": "IMAGE"},
    ]

    deliveries.ingest_outcome("msg_1", "vg_exec_1", "succeeded", results=results)

    found = job.results.values_list("position", "file__remote_id", "file__type", "file__display_name")
    assert list(found) == [(0, "vg_file_b", "IMAGE", "b.png"), (1, "vg_file_a", "IMAGE", "")]
    assert set(File.objects.values_list("source_tool", "origin")) == {("generate-image", "result")}
