"""Each test has its own folder for copies of files."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_copies_folder(copies_folder: None) -> None:
    """Applies to every test of this folder."""
