"""Tests of the domain: VideoGen cannot be reached unless they use `account`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from django.db import connection

from executions.models import Execution
from tests.conftest import SandboxProcess
from tests.executions import service
from tests.waiting import eventually

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _surroundings(videogen_out_of_reach: None, no_pauses: None, no_open_connections: None) -> None:
    """What every test of this folder has."""


# Hundreds of jobs are started in one hour, and none of these tests is about that.
PLENTY = {"POST /v1/tools/*": 100_000, "POST /v1/tools/executions/{id}/cancel": 100_000}


@pytest.fixture
def hasty_commits(transactional_db: None) -> Iterator[None]:
    """PostgreSQL does not wait for the disk at each commit of this thread: for tests that commit thousands of times."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO off")
    yield
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit TO DEFAULT")


@pytest.fixture
async def account(account: SandboxProcess) -> AsyncIterator[SandboxProcess]:
    """The domain talks to the sandbox, whose places for jobs are free again after the test."""
    account.control("POST", "faults", {"limits": PLENTY})
    yield account
    account.control("PUT", "faults", {"limits": PLENTY})
    service.stop_everything(account)


@pytest.fixture
async def running(account: SandboxProcess) -> Execution:
    """A job that VideoGen took and that runs there for longer than any test; here it is still `pending`."""
    service.order(account, "job", "generate-image", seconds=600)
    job = await service.started()
    await service.in_thread(eventually, lambda: service.status_there(account, job) == "running" or None)
    return job
