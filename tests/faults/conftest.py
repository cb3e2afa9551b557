"""What the fault tests share: a reconciler at work, and a receiver that listens on a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.db import connections

from tests.conftest import SandboxProcess
from tests.executions.videogen.misbehaving_service import Service
from tests.faults import scenes
from tests.faults.receiving import Receiving
from tests.faults.relay import Relay

pytestmark = [pytest.mark.both_engines, pytest.mark.processes]


@pytest.fixture(autouse=True)
def _no_open_connections() -> Iterator[None]:
    """The thread that async tests run sync views in keeps no connection to the database."""
    yield
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()
    connections.close_all()


@pytest.fixture(autouse=True)
def _free_places(request: pytest.FixtureRequest) -> Iterator[None]:
    """The sandbox works on two jobs at once: what a test left running there must not hold up the next."""
    sandbox = request.getfixturevalue("sandbox") if "sandbox" in request.fixturenames else None
    yield
    if sandbox is not None:
        scenes.stop_all(sandbox)


@pytest.fixture
async def worker(account: SandboxProcess) -> AsyncIterator[Any]:
    """A reconciler at work in the test's own loop, as in `serve`."""
    from executions.sync.reconciler import Reconciler

    reconciler = Reconciler()
    with reconciler.listening():
        running = asyncio.create_task(reconciler.run())
        yield reconciler
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await reconciler.drain(10)


@pytest.fixture
async def receiving(account: SandboxProcess, settings: Any) -> AsyncIterator[Receiving]:
    """The webhook receiver behind a real socket; `register` makes the sandbox deliver to it."""
    receiver = Receiving(account, settings)
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def relay(account: SandboxProcess) -> AsyncIterator[Relay]:
    """The domain talks to the sandbox through something that can keep its answers back."""
    from executions.core import runtime

    relay = Relay(account.url)
    await relay.start()
    runtime.use_account(account.api_key, relay.url)
    yield relay
    await runtime.close_client()
    await relay.stop()


@pytest.fixture
async def service(account: SandboxProcess) -> AsyncIterator[Service]:
    """A VideoGen that misbehaves as it is told; the domain talks to it instead of the sandbox."""
    from executions.core import runtime

    service = Service()
    await service.start()
    runtime.use_account("any-key", service.url)
    yield service
    await runtime.close_client()
    await service.stop()
