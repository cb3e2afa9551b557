"""Copies of files have a folder that belongs to the test alone."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_copies_folder(copies_folder: None) -> None:
    """What every test of this folder has."""
