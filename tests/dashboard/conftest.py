"""Tests of the dashboard: VideoGen is unreachable unless they use `account`."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _surroundings(videogen_unreachable: None, no_retry_delays: None, no_open_connections: None) -> None:
    """Applies to every test of this folder."""
