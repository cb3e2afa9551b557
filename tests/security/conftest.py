"""What the security tests share: people's browsers, a signed world, and one running server for raw sockets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.dashboard.conftest import _no_open_connections, _no_pauses, ada, ann, ben
from tests.dashboard.serving import Serving
from tests.factories.deliveries import SECRET

__all__ = ["_known_secrets", "_no_open_connections", "_no_pauses", "ada", "ann", "ben", "serving"]

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _known_secrets(settings: Any) -> None:
    """VideoGen cannot be reached without the `account` fixture; deliveries are signed with SECRET."""
    settings.VIDEOGEN_API_KEY = "tests-only-key-of-nobody"
    settings.VIDEOGEN_BASE_URL = "http://127.0.0.1:9"
    settings.VIDEOGEN_WEBHOOK_SECRETS = [SECRET]


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One `manage.py serve` for the session, for what concerns the wire. It verifies deliveries with SECRET."""
    server = Serving(tmp_path_factory.mktemp("served") / "data", VIDEOGEN_WEBHOOK_SECRET=SECRET)
    yield server
    server.end()
