"""Fixtures of the security tests: a known signing secret, and one running server for raw sockets."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.dashboard.serving import Serving
from tests.factories.deliveries import SECRET

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _surroundings(
    videogen_unreachable: None, no_retry_delays: None, no_open_connections: None, known_secrets: None
) -> None:
    """The fixtures of every test in this folder."""


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One `manage.py serve` for the session, for tests over TCP. It verifies deliveries with SECRET."""
    server = Serving(tmp_path_factory.mktemp("served") / "data", VIDEOGEN_WEBHOOK_SECRET=SECRET)
    yield server
    server.end()
