"""What tests of the dashboard share: people's browsers, and a way into the database from async tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.dashboard.browsers import Browser, hang_up, signed_in

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _nobody_there(settings: Any) -> None:
    """Without the `account` fixture VideoGen cannot be reached: a closed port, never the real service."""
    settings.VIDEOGEN_API_KEY = "tests-only-key-of-nobody"
    settings.VIDEOGEN_BASE_URL = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that only reads is tried again at once: how long the client waits is what tests/videogen tests."""
    monkeypatch.setattr("executions.videogen.client.PAUSES", (0.0, 0.0))


@pytest.fixture(autouse=True)
def _no_open_connections() -> Iterator[None]:
    """The thread that async tests run sync views in keeps no connection to the database."""
    yield
    hang_up()


@pytest.fixture
def ann(people: Any) -> Browser:
    """A member's browser."""
    return signed_in(people.ann)


@pytest.fixture
def ben(people: Any) -> Browser:
    """Another member's."""
    return signed_in(people.ben)


@pytest.fixture
def ada(people: Any) -> Browser:
    """An admin's."""
    return signed_in(people.ada)
