"""Deliveries are signed in these tests."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _signed_deliveries(known_secrets: None) -> None:
    """Applies to every test of this folder."""
