"""What tests of batches share with those of the dashboard: people's browsers."""

from __future__ import annotations

import pytest

from tests.dashboard.conftest import _no_open_connections, _no_pauses, ada, ann, ben

__all__ = ["_no_open_connections", "_no_pauses", "ada", "ann", "ben"]

pytestmark = pytest.mark.both_engines
