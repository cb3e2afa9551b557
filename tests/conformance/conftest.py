"""A running sandbox, and the official client for it, every answer of which is judged by openapi.yaml."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from videogen import VideoGenApi

from tests.conformance.contract import answer_problems
from tests.sandbox.running import KEY, Running

pytestmark = pytest.mark.processes


@pytest.fixture(scope="session")
def running() -> Iterator[Running]:
    started = Running("--speed", "100")
    roomy = {"POST /v1/webhooks/endpoints": 1000, "DELETE /v1/webhooks/endpoints/{id}": 1000}
    started.order(limits=roomy)
    yield started
    assert started.stop() == 0


@pytest.fixture
def answers() -> list[httpx.Response]:
    """What the official client was answered in this test."""
    return []


@pytest.fixture
def official(running: Running, answers: list[httpx.Response]) -> Iterator[VideoGenApi]:
    def judge(answer: httpx.Response) -> None:
        answer.read()
        answers.append(answer)
        assert answer_problems(answer) == []

    with httpx.Client(event_hooks={"response": [judge]}, timeout=30, trust_env=False) as client:
        yield VideoGenApi(base_url=running.url, token=KEY, httpx_client=client, max_retries=0)
