"""The audit's tests have people's browsers, as those of the dashboard have."""

from __future__ import annotations

import pytest

from tests.security.conftest import _known_secrets, _no_open_connections, _no_pauses, ada, ann, ben

__all__ = ["_known_secrets", "_no_open_connections", "_no_pauses", "ada", "ann", "ben"]

pytestmark = pytest.mark.both_engines
