"""A sandbox, and the official client with every response validated against openapi.yaml."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from videogen import VideoGenApi

from tests.conformance.contract import response_errors
from tests.sandbox.process import KEY, SandboxServer

pytestmark = pytest.mark.processes


@pytest.fixture(scope="session")
def running() -> Iterator[SandboxServer]:
    sandbox = SandboxServer("--speed", "100")
    high_limits = {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000}
    sandbox.set_faults(limits=high_limits)
    yield sandbox
    assert sandbox.stop() == 0


@pytest.fixture
def responses() -> list[httpx.Response]:
    """The responses that the official client received in this test."""
    return []


@pytest.fixture
def official(running: SandboxServer, responses: list[httpx.Response]) -> Iterator[VideoGenApi]:
    def validate(response: httpx.Response) -> None:
        response.read()
        responses.append(response)
        assert response_errors(response) == []

    with httpx.Client(event_hooks={"response": [validate]}, timeout=30, trust_env=False) as client:
        yield VideoGenApi(base_url=running.url, token=KEY, httpx_client=client, max_retries=0)
