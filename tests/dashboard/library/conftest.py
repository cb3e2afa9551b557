"""Each test stores copies in its own folder."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_copies_folder(copies_folder: None) -> None:
    """Applies to every test of this folder."""
