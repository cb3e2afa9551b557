"""Fixtures of the fault tests: a running reconciler, a receiver on a real socket, a relay, and a faulty VideoGen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from django.db import connections

from tests import steps
from tests.conftest import SandboxProcess
from tests.executions.videogen.misbehaving_service import Service
from tests.faults.relay import Relay
from tests.faults.webhook_receiver import WebhookReceiver

pytestmark = [pytest.mark.both_engines, pytest.mark.processes]


@pytest.fixture(autouse=True)
def _surroundings(no_open_connections: None) -> Iterator[None]:
    """The fixtures of every test in this folder."""
    yield
    connections.close_all()  # of this thread


@pytest.fixture(autouse=True)
def _free_places(request: pytest.FixtureRequest) -> Iterator[None]:
    """Cancel what a test left running: the sandbox runs two jobs at a time, so it would delay the next test."""
    sandbox = request.getfixturevalue("sandbox") if "sandbox" in request.fixturenames else None
    yield
    if sandbox is not None:
        steps.reset_sandbox(sandbox)


@pytest.fixture
async def worker(account: SandboxProcess) -> AsyncIterator[Any]:
    """A running reconciler in the test's event loop, as in `serve`."""
    from executions.sync.reconciler import Reconciler

    reconciler = Reconciler()
    with reconciler.listening():
        running = asyncio.create_task(reconciler.run())
        yield reconciler
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await reconciler.drain(10)


@pytest.fixture
async def webhook_receiver(account: SandboxProcess, settings: Any) -> AsyncIterator[WebhookReceiver]:
    """The webhook receiver on a real socket; `register` makes the sandbox deliver to it."""
    receiver = WebhookReceiver(account, settings)
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def relay(account: SandboxProcess) -> AsyncIterator[Relay]:
    """A relay that can hold back responses; the domain calls the sandbox through it."""
    from executions.core import runtime

    relay = Relay(account.url)
    await relay.start()
    runtime.use_account(account.api_key, relay.url)
    yield relay
    await runtime.close_client()
    await relay.stop()


@pytest.fixture
async def service(account: SandboxProcess) -> AsyncIterator[Service]:
    """A VideoGen that misbehaves as a test says; the domain calls it instead of the sandbox."""
    from executions.core import runtime

    service = Service()
    await service.start()
    runtime.use_account("any-key", service.url)
    yield service
    await runtime.close_client()
    await service.stop()
