"""How long to wait before a call is tried again."""

from __future__ import annotations

import random
from datetime import timedelta

FIRST, LONGEST = 2.0, 300.0  # seconds


def delay(failures: int) -> timedelta:
    """Doubling from 2 s up to 5 minutes, with 20 % of jitter so that many do not come back at once."""
    seconds = min(LONGEST, FIRST * 2 ** min(failures, 20))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))
