"""Durations counted in buckets that grow by a fifth, so that counts of many days can be added and still tell a median."""

from __future__ import annotations

import math
from collections.abc import Mapping

FIRST = 0.001  # seconds: the lower end of bucket 0
PER_DOUBLING = 4
LAST = 160  # some years: whatever takes longer stands in it


def bucket(seconds: float) -> int:
    """Which bucket a duration falls into. Clocks that disagree make negative ones: they count as none."""
    if seconds <= FIRST:
        return 0
    return min(LAST, int(math.log2(seconds / FIRST) * PER_DOUBLING))


def lower(number: int) -> float:
    """Where a bucket begins, in seconds; it ends where the next one begins."""
    return FIRST * math.exp2(number / PER_DOUBLING)


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration (seconds) that `share` (0 to 1) of all stay within; None of none. Right to about a tenth."""
    total = sum(counts.values())
    if not total:
        return None
    wanted, passed = share * total, 0.0
    for number in sorted(counts):
        count = counts[number]
        if count and passed + count >= wanted:
            # As if those of one bucket were spread evenly over it.
            return lower(number) * math.exp2((wanted - passed) / count / PER_DOUBLING)
        passed += count
    return lower(max(counts) + 1)
