"""Tests of batches: they wait for no pauses of the client."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _surroundings(no_pauses: None, no_open_connections: None) -> None:
    """What every test of this folder has."""
