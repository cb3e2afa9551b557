"""What tests of the library share: people's browsers, and VideoGen out of reach unless `account` is asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.conftest import _no_open_connections, _no_pauses, _nobody_there, ada, ann, ben

__all__ = ["_no_open_connections", "_no_pauses", "_nobody_there", "ada", "ann", "ben"]

pytestmark = pytest.mark.both_engines


@pytest.fixture(autouse=True)
def _own_folder(settings: Any, tmp_path: Path) -> None:
    """Copies of files lie in a folder of the test's own."""
    folder = tmp_path / "kept"
    folder.mkdir()
    settings.KEEP_FOLDER, settings.KEEP_PARTS = folder, folder / ".parts"
    kept = {**settings.STORAGES["kept"], "OPTIONS": {"location": folder, "allow_overwrite": True}}
    settings.STORAGES = {**settings.STORAGES, "kept": kept}
