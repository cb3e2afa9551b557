"""Tests of the library: VideoGen is out of reach unless they use `account`, and copies have a folder of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _surroundings(videogen_out_of_reach: None, no_pauses: None, no_open_connections: None) -> None:
    """What every test of this folder has."""


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    """Copies of files lie in a folder of the test's own."""
    folder = tmp_path / "kept"
    folder.mkdir()
    settings.KEEP_FOLDER, settings.KEEP_PARTS = folder, folder / ".parts"
    kept = {**settings.STORAGES["kept"], "OPTIONS": {"location": folder, "allow_overwrite": True}}
    settings.STORAGES = {**settings.STORAGES, "kept": kept}
