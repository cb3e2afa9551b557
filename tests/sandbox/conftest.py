"""Fixtures: one sandbox that most tests share, and sandboxes of one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sandbox.receiver import Receiver
from tests.sandbox.running import Running


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Running]:
    running = Running("--speed", "20")
    yield running
    assert running.stop() == 0


@pytest.fixture
def sandbox(shared_sandbox: Running) -> Iterator[Running]:
    """The shared sandbox, without faults and without jobs in flight before and after."""
    shared_sandbox.client.delete("/sandbox/faults").raise_for_status()
    yield shared_sandbox
    shared_sandbox.client.delete("/sandbox/faults").raise_for_status()
    shared_sandbox.settle()


@pytest.fixture
def launch() -> Iterator[Callable[..., Running]]:
    """Starts sandboxes of one's own; they are stopped at the end of the test."""
    started: list[Running] = []

    def start(*arguments: str) -> Running:
        started.append(Running(*arguments))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.stop()


@pytest.fixture
def inbox(sandbox: Running) -> Iterator[Callable[..., Callable[[], list[dict[str, Any]]]]]:
    """``inbox(*events)`` subscribes to these; calling what it returns gives the bodies received so far."""
    made: list[tuple[Receiver, str]] = []
    roomy = {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000}
    sandbox.order(limits=roomy)

    def subscribe(*events: str) -> Callable[[], list[dict[str, Any]]]:
        receiver = Receiver()
        body = {"url": receiver.url, "events": list(events)}
        answer = sandbox.client.post("/v1/webhooks/endpoints", json=body)
        assert answer.status_code == 201, answer.text
        made.append((receiver, answer.json()["endpointId"]))
        return lambda: [message.data for message in list(receiver.received)]

    yield subscribe
    sandbox.client.post("/sandbox/faults", json={"limits": roomy})
    for receiver, endpoint_id in made:
        sandbox.client.delete(f"/v1/webhooks/endpoints/{endpoint_id}")
        receiver.close()
