"""Fixtures for the tests of the API client: a misbehaving service, a client for it, and example bodies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from executions.videogen import Timeouts, VideoGen
from tests.executions.videogen.misbehaving_service import Service

# The examples of the contract. A test of the sandbox compares them with its schemas.
EXAMPLES = Path(__file__).parents[2] / "conformance" / "examples"
KEY = "vgk_live_3kQz81LmXw_do-not-show-me"


@pytest.fixture
def no_retry_delays() -> None:
    """Overrides the shared fixture: these tests check the client's retry delays."""


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def pauses() -> list[float]:
    """The pauses between the client's attempts, in seconds; they are recorded, not waited for."""
    return []


@pytest.fixture
async def make_client(pauses: list[float]) -> AsyncIterator[Callable[..., VideoGen]]:
    made: list[VideoGen] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    def make(base_url: str, **options: Any) -> VideoGen:
        quick = Timeouts(connect=2, read=0.3, write=2, pool=2, total=2)
        defaults = {"api_key": KEY, "timeouts": quick, "sleep": sleep, "rng": lambda: 0.5}
        made.append(VideoGen(base_url=base_url, **(defaults | options)))
        return made[-1]

    yield make
    for client in made:
        await client.aclose()


@pytest.fixture
def client(service: Service, make_client: Callable[..., VideoGen]) -> VideoGen:
    return make_client(service.url)


@pytest.fixture
def example() -> Callable[[str], Any]:
    return lambda name: json.loads((EXAMPLES / f"{name}.json").read_text())
