"""What tests of figures, comments and "since you left" share: people's browsers, and VideoGen out of reach."""

from __future__ import annotations

import pytest

from tests.dashboard.conftest import _no_open_connections, _no_pauses, _nobody_there, ada, ann, ben

__all__ = ["_no_open_connections", "_no_pauses", "_nobody_there", "ada", "ann", "ben"]

pytestmark = pytest.mark.both_engines
