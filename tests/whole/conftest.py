"""The whole way of a job goes over both databases."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.both_engines
