"""Fixtures of the domain tests. VideoGen is unreachable unless a test uses `account`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from django.db import connection

from executions.models import Execution
from tests import steps
from tests.conftest import SandboxProcess
from tests.waiting import until

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _surroundings(videogen_unreachable: None, no_retry_delays: None, no_open_connections: None) -> None:
    """The fixtures of every test in this folder."""


# The tests start hundreds of jobs within one hour.
HIGH_LIMITS = {"POST /v1/tools/*": 100_000, "POST /v1/tools/executions/{id}/cancel": 100_000}


@pytest.fixture
def fast_commits(transactional_db: None) -> Iterator[None]:
    """PostgreSQL does not wait for the disk at commits of this thread, for tests that commit thousands of times."""
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
    """The domain calls the sandbox; jobs that still run there are cancelled after the test."""
    account.control("POST", "faults", {"limits": HIGH_LIMITS})
    yield account
    account.control("PUT", "faults", {"limits": HIGH_LIMITS})
    steps.cancel_unfinished(account)


@pytest.fixture
async def running(account: SandboxProcess) -> Execution:
    """A job that runs at VideoGen for longer than any test, and is still `pending` in Rushes."""
    steps.add_fault(account, "job", "generate-image", seconds=600)
    job = await steps.accepted()

    async def runs_there() -> bool:
        (only,) = await steps.sandbox_jobs(account, job.remote_id or "")
        return bool(only["status"] == "running")

    await until(runs_there)
    return job
