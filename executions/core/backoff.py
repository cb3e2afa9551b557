"""The delay before a failed call is retried."""

from __future__ import annotations

import random
from datetime import timedelta

MIN_DELAY, MAX_DELAY = 2.0, 300.0  # seconds


def delay(failures: int) -> timedelta:
    """Doubles from 2 s up to 5 minutes, with 20 % jitter so that retries spread out."""
    seconds = min(MAX_DELAY, MIN_DELAY * 2 ** min(failures, 20))
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))
