"""Tests of the audit log: VideoGen is out of reach, and deliveries are signed."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _surroundings(
    videogen_out_of_reach: None, no_pauses: None, no_open_connections: None, known_secrets: None
) -> None:
    """What every test of this folder has."""
