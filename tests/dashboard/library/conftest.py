"""Each test stores copies in a folder of its own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_copies_folder(copies_folder: None) -> None:
    """Applies to every test of this folder."""
