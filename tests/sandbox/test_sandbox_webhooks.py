"""Webhook deliveries: subscriptions, signatures, retries and faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks.webhooks import WebhookVerificationError

from tests.sandbox.process import SandboxServer
from tests.sandbox.receiver import Receiver
from tests.waiting import eventually

TOOL_EVENTS = ["tool_execution.succeeded", "tool_execution.failed", "tool_execution.cancelled"]
FILE_EVENTS = [
    "file.upload.completed",
    "file.upload.failed",
    "file.download_ready",
    "file.analysis_completed",
]

type Subscribe = Callable[..., tuple[Receiver, dict[str, Any]]]


@pytest.fixture
def subscribe(sandbox: SandboxServer) -> Iterator[Subscribe]:
    """Registers a new receiver, which is deleted after the test."""
    created: list[tuple[Receiver, dict[str, Any]]] = []
    high_limits = {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000}
    sandbox.set_faults(limits=high_limits)

    def register(events: list[str] | None = None) -> tuple[Receiver, dict[str, Any]]:
        receiver = Receiver()
        body = {"url": receiver.url, "events": events or TOOL_EVENTS}
        endpoint = sandbox.client.post("/v1/webhooks/endpoints", json=body).json()
        created.append((receiver, endpoint))
        return receiver, endpoint

    yield register
    sandbox.client.post("/sandbox/faults", json={"limits": high_limits})
    for receiver, endpoint in created:
        sandbox.client.delete(f"/v1/webhooks/endpoints/{endpoint['endpointId']}")
        receiver.close()


def speak(sandbox: SandboxServer, text: str = "Hello.") -> str:
    return sandbox.start("text-to-speech", ttsText=text)


def test_success_event_has_signed_files(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, endpoint = subscribe()
    started = speak(sandbox)
    (message,) = receiver.wait_for_count(1)
    event = message.verified(endpoint["signingSecret"])
    assert event["event"] == "tool_execution.succeeded"
    assert event["toolExecutionId"] == started
    assert event["toolType"] == "TEXT_TO_SPEECH"
    # Other fields of the file may have changed since.
    (sent,), (seen,) = event["results"], sandbox.execution(started)["results"]
    assert (sent["fileId"], sent["type"]) == (seen["fileId"], seen["type"])
    assert sent["file"]["downloadSource"] == seen["file"]["downloadSource"]
    assert httpx.get(sent["file"]["downloadSource"]["url"]).status_code == 200


def test_each_endpoint_gets_every_final_status_once(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    """An endpoint receives events of all jobs of the team, including jobs started before it was created."""
    sandbox.client.post("/sandbox/faults", json={"faults": [{"kind": "job", "seconds": 0.5, "count": 1}]})
    earlier = speak(sandbox)
    first, second = subscribe()[0], subscribe()[0]
    later = [speak(sandbox) for _ in range(3)]
    for receiver in (first, second):
        receiver.wait(lambda seen: {each.data["toolExecutionId"] for each in seen} == {earlier, *later})
    sandbox.cancel_all()
    message_ids = [message.id for receiver in (first, second) for message in receiver.received]
    assert len(message_ids) == len(set(message_ids)) == 8


def test_failure_event_has_the_error_and_no_results(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, endpoint = subscribe()
    started = speak(sandbox, "[fail:quota]")
    (message,) = receiver.wait_for_count(1)
    event = message.verified(endpoint["signingSecret"])
    assert (event["event"], event["toolExecutionId"]) == ("tool_execution.failed", started)
    assert event["error"]["code"] == "quota"
    assert "results" not in event


def test_cancellation_event_has_neither(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, endpoint = subscribe()
    sandbox.client.post("/sandbox/faults", json={"faults": [{"kind": "job", "seconds": 60}]})
    started = speak(sandbox)
    sandbox.client.post(f"/v1/tools/executions/{started}/cancel")
    (message,) = receiver.wait_for_count(1)
    event = message.verified(endpoint["signingSecret"])
    assert event["event"] == "tool_execution.cancelled"
    assert set(event) == {"event", "toolExecutionId", "toolType", "occurredAt"}


def test_each_endpoint_gets_its_own_message_and_only_its_events(
    sandbox: SandboxServer, subscribe: Subscribe
) -> None:
    first, _ = subscribe()
    second, _ = subscribe()
    failures, _ = subscribe(["tool_execution.failed"])
    speak(sandbox)
    one, other = first.wait_for_count(1)[0], second.wait_for_count(1)[0]
    assert one.id != other.id
    assert one.data == other.data
    speak(sandbox, "[fail]")
    (failure,) = failures.wait_for_count(1)
    assert failure.data["event"] == "tool_execution.failed"


def test_results_send_file_events_but_no_upload_events(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, _ = subscribe(FILE_EVENTS)
    file_id = sandbox.make(prompt="a hill")["results"][0]["fileId"]
    # Analyses of files of earlier tests may finish at the same time.
    received = eventually(
        lambda: [message for message in list(receiver.received) if message.data["fileId"] == file_id],
        lambda found: len(found) == 2,
    )
    assert [message.data["event"] for message in received] == [
        "file.download_ready",
        "file.analysis_completed",
    ]
    assert received[1].data["file"]["description"]
    assert "fileAnalysisMetadata" not in received[1].data["file"]


def test_failed_delivery_is_retried_with_the_same_id(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, endpoint = subscribe()
    receiver.statuses = [500, 302]
    speak(sandbox)
    received = receiver.wait_for_count(3)
    assert len({message.id for message in received}) == 1
    stamps = [int(message.headers["webhook-timestamp"]) for message in received]
    assert stamps[2] > stamps[0]
    for message in received:
        message.verified(endpoint["signingSecret"])
    delivery = eventually(
        lambda: sandbox.client.get("/sandbox/deliveries").json()["deliveries"][0],
        lambda seen: seen["status"] == "delivered",
    )
    assert delivery["webhookId"] == received[0].id
    assert [attempt["status"] for attempt in delivery["attempts"]] == [500, 302, 200]


def test_deleted_endpoint_receives_nothing_more(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, endpoint = subscribe()
    receiver.statuses = [503] * 9
    speak(sandbox)
    receiver.wait_for_count(1)
    sandbox.client.delete(f"/v1/webhooks/endpoints/{endpoint['endpointId']}")
    delivery = eventually(
        lambda: sandbox.client.get("/sandbox/deliveries").json()["deliveries"][0],
        lambda seen: seen["status"] == "gone",
    )
    assert delivery["endpointId"] == endpoint["endpointId"]
    assert len(receiver.received) == len(delivery["attempts"]) == 1


def add(sandbox: SandboxServer, **fault: Any) -> None:
    response = sandbox.client.post("/sandbox/faults", json={"faults": [fault]})
    assert response.status_code == 200, response.text


def test_a_dropped_delivery_is_never_sent(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, _ = subscribe()
    add(sandbox, kind="webhook_drop", count=1)
    sandbox.wait_until_final(speak(sandbox))
    second = speak(sandbox)
    (message,) = receiver.wait_for_count(1)
    assert message.data["toolExecutionId"] == second


def test_copies_of_a_delivery_have_the_same_id_and_body(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, _ = subscribe()
    add(sandbox, kind="webhook_double", copies=4)
    speak(sandbox)
    received = receiver.wait_for_count(4)
    assert len({message.id for message in received}) == 1
    assert len({message.body for message in received}) == 1


def test_a_delayed_delivery_is_sent_after_the_given_time(
    sandbox: SandboxServer, subscribe: Subscribe
) -> None:
    receiver, _ = subscribe()
    add(sandbox, kind="webhook_delay", seconds=0.6)
    speak(sandbox)
    receiver.wait_for_count(1)
    delivery = sandbox.client.get("/sandbox/deliveries").json()["deliveries"][0]
    assert delivery["attempts"][0]["at"] - delivery["createdAt"] > 0.55


def test_reordered_deliveries_arrive_in_reverse(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, _ = subscribe()
    add(sandbox, kind="webhook_reorder", size=2, match="tool_execution.*", seconds=30)
    first = speak(sandbox)
    sandbox.wait_until_final(first)
    second = speak(sandbox)
    received = receiver.wait_for_count(2)
    assert [message.data["toolExecutionId"] for message in received] == [second, first]


def test_a_reordered_delivery_does_not_wait_forever(sandbox: SandboxServer, subscribe: Subscribe) -> None:
    receiver, _ = subscribe()
    add(sandbox, kind="webhook_reorder", size=5, seconds=0.3)
    speak(sandbox)
    assert len(receiver.wait_for_count(1)) == 1


@pytest.mark.parametrize("backwards", [False, True])
def test_held_deliveries_are_sent_when_they_are_released(
    sandbox: SandboxServer, subscribe: Subscribe, backwards: bool
) -> None:
    receiver, _ = subscribe()
    add(sandbox, kind="webhook_hold")
    ids = [speak(sandbox), speak(sandbox)]
    executions = [sandbox.wait_until_final(each) for each in ids]
    assert receiver.received == []
    truth = sandbox.client.get("/sandbox/truth").json()["executions"]
    ended_at = {each["toolExecutionId"]: each["endedAt"] for each in truth}
    order = sorted(
        (each["toolExecutionId"] for each in executions), key=lambda each: ended_at[each], reverse=backwards
    )
    response = sandbox.client.post(f"/sandbox/deliveries/release?backwards={str(backwards).lower()}")
    assert response.json() == {"released": 2}
    received = receiver.wait_for_count(2)
    assert [message.data["toolExecutionId"] for message in received] == order


def test_held_message_is_sent_and_retried_after_a_restart(
    launch: Callable[..., SandboxServer], tmp_path: Path
) -> None:
    with closing(Receiver()) as receiver:
        first = launch("--data-dir", str(tmp_path), "--speed", "20")
        body = {"url": receiver.url, "events": TOOL_EVENTS}
        first.client.post("/v1/webhooks/endpoints", json=body).raise_for_status()
        first.set_faults({"kind": "webhook_hold"})
        first.wait_until_final(speak(first))
        first.kill()
        receiver.statuses = [500]
        launch("--data-dir", str(tmp_path), "--speed", "20")
        received = receiver.wait_for_count(2)
    assert len({message.id for message in received}) == 1


@pytest.mark.parametrize("how", ["wrong_secret", "altered_body", "stale", "future", "unsigned"])
def test_a_forged_delivery_fails_verification(sandbox: SandboxServer, subscribe: Subscribe, how: str) -> None:
    receiver, endpoint = subscribe()
    add(sandbox, kind="webhook_forge", how=how)
    speak(sandbox)
    (message,) = receiver.wait_for_count(1)
    with pytest.raises(WebhookVerificationError):
        message.verified(endpoint["signingSecret"])
