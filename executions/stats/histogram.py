"""Histograms of durations. Each bucket is a fifth wider than the one before, so that counts of many days can be added
and still give percentiles."""

from __future__ import annotations

import math
from collections.abc import Mapping

LOWEST_SECONDS = 0.001  # the lower end of bucket 0
PER_DOUBLING = 4
LAST_BUCKET = 160  # a few decades; longer durations count in it too


def bucket(seconds: float) -> int:
    """The bucket of a duration. A negative duration, due to clocks that disagree, counts in bucket 0."""
    if seconds <= LOWEST_SECONDS:
        return 0
    return min(LAST_BUCKET, int(math.log2(seconds / LOWEST_SECONDS) * PER_DOUBLING))


def lower_bound(number: int) -> float:
    """The lower bound of a bucket, in seconds. Its upper bound is the lower bound of the next one."""
    return LOWEST_SECONDS * math.exp2(number / PER_DOUBLING)


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration in seconds that `share` (0 to 1) of all durations do not exceed; None when there are no samples.

    Accurate to about 10 %.
    """
    total = sum(counts.values())
    if not total:
        return None
    target, passed = share * total, 0.0
    for number in sorted(counts):
        count = counts[number]
        if count and passed + count >= target:
            # Interpolate, assuming an even distribution within the bucket.
            return lower_bound(number) * math.exp2((target - passed) / count / PER_DOUBLING)
        passed += count
    return lower_bound(max(counts) + 1)
