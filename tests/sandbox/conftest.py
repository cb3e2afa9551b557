"""Fixtures: one sandbox that most tests share, and separate sandboxes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.sandbox.process import SandboxServer
from tests.sandbox.receiver import Receiver


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[SandboxServer]:
    running = SandboxServer("--speed", "20")
    yield running
    assert running.stop() == 0


@pytest.fixture
def sandbox(shared_sandbox: SandboxServer) -> Iterator[SandboxServer]:
    """The shared sandbox, without faults and active jobs before and after the test."""
    shared_sandbox.client.delete("/sandbox/faults").raise_for_status()
    yield shared_sandbox
    shared_sandbox.client.delete("/sandbox/faults").raise_for_status()
    shared_sandbox.cancel_all()


@pytest.fixture
def launch() -> Iterator[Callable[..., SandboxServer]]:
    """Starts separate sandboxes, which are stopped after the test."""
    started: list[SandboxServer] = []

    def start(*arguments: str) -> SandboxServer:
        started.append(SandboxServer(*arguments))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.stop()


@pytest.fixture
def inbox(sandbox: SandboxServer) -> Iterator[Callable[..., Callable[[], list[dict[str, Any]]]]]:
    """``inbox(*events)`` subscribes to events and returns a function that returns the bodies received so far."""
    created: list[tuple[Receiver, str]] = []
    high_limits = {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000}
    sandbox.set_faults(limits=high_limits)

    def subscribe(*events: str) -> Callable[[], list[dict[str, Any]]]:
        receiver = Receiver()
        body = {"url": receiver.url, "events": list(events)}
        response = sandbox.client.post("/v1/webhooks/endpoints", json=body)
        assert response.status_code == 201, response.text
        created.append((receiver, response.json()["endpointId"]))
        return lambda: [message.data for message in list(receiver.received)]

    yield subscribe
    sandbox.client.post("/sandbox/faults", json={"limits": high_limits})
    for receiver, endpoint_id in created:
        sandbox.client.delete(f"/v1/webhooks/endpoints/{endpoint_id}")
        receiver.close()
