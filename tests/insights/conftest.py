"""Tests of figures, comments and "since you left": VideoGen is out of reach."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _surroundings(videogen_out_of_reach: None, no_pauses: None, no_open_connections: None) -> None:
    """What every test of this folder has."""
