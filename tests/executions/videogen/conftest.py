"""What the tests of the API client share: a service that misbehaves, a client for it, and example bodies."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from executions.videogen import Timeouts, VideoGen
from tests.executions.videogen.misbehaving_service import Service

EXAMPLES = Path(__file__).parent / "examples"
KEY = "vgk_live_3kQz81LmXw_do-not-show-me"


@pytest.fixture
def no_pauses() -> None:
    """Here the client's pauses stay as they are: they are what is tested."""


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.start()
    yield service
    await service.stop()


@pytest.fixture
def pauses() -> list[float]:
    """How long the client wanted to wait between its attempts."""
    return []


@pytest.fixture
async def make_client(pauses: list[float]) -> AsyncIterator[Callable[..., VideoGen]]:
    made: list[VideoGen] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    def make(base_url: str, **options: Any) -> VideoGen:
        quick = Timeouts(connect=2, read=0.3, write=2, pool=2, total=2)
        known = {"api_key": KEY, "timeouts": quick, "sleep": sleep, "rng": lambda: 0.5}
        made.append(VideoGen(base_url=base_url, **(known | options)))
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
