"""Estimates for people who wait: the typical duration of a tool, and when a batch will have been submitted."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils import timezone

from executions.core import runtime
from executions.lifecycle import estimates
from executions.limits import rate_limits
from executions.videogen import Group, RateLimit
from tests.factories import jobs, planning
from tests.factories.past_jobs import past_job, write

HOUR = timedelta(hours=1)


@pytest.fixture
def run(db: None) -> Callable[..., None]:
    """Insert a finished job; each is newer than the one before."""
    numbers = itertools.count()

    def insert(seconds: float, status: str = "succeeded", tool: str = "generate-image") -> None:
        now = timezone.now()
        ended_at = now + timedelta(seconds=seconds)
        write(past_job(next(numbers), tool=tool, status=status, accepted_at=now, ended_at=ended_at))

    return insert


def test_the_typical_duration_is_the_median_of_the_last_successes(run: Callable[..., None]) -> None:
    assert estimates.typical_duration("generate-image") is None
    cache.clear()
    for seconds in (1000, *[40] * 10, *[38] * 5, *[44] * 5):
        run(seconds)
    run(2, status="failed")
    run(3, tool="upscale-image")

    image = estimates.typical_duration("generate-image")
    assert image is not None
    assert (image.text, image.runs) == ("about 40 s", 20)
    upscale = estimates.typical_duration("upscale-image")
    assert upscale is not None
    assert (upscale.text, upscale.runs) == ("about 3 s", 1)


def test_a_run_with_a_negative_duration_is_skipped(run: Callable[..., None]) -> None:
    for seconds in [40] * 20:
        run(seconds)
    run(-5)  # the two times come from different clocks

    image = estimates.typical_duration("generate-image")

    assert image is not None
    assert (image.seconds, image.runs) == (40, 19)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (9.4, "9 s"), (41, "40 s"), (88, "90 s"), (100, "2 min"), (4200, "1 h 10 min")],
)
def test_a_duration_is_formatted_with_limited_precision(seconds: float, text: str) -> None:
    assert estimates.format_duration(seconds) == text


NOW = datetime(2026, 5, 20, 14, 0, 30, tzinfo=UTC)
AT_20 = datetime(2026, 5, 20, 14, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "usable", "hourly", "sent_by"),
    [
        (60, 450, 450, "14:02"),  # 20 s, rounded up to whole minutes
        (450, 450, 450, "14:04"),
        (451, 450, 450, "14:22"),  # one too many: it is sent in the next hour
        (900, 450, 450, "14:24"),
        (901, 450, 450, "15:22"),
        (1, 0, 450, "14:22"),
    ],
)
def test_a_forecast_includes_the_hours_spent_waiting_for_the_limit(
    db: None, count: int, usable: int, hourly: int, sent_by: str
) -> None:
    forecast = estimates._sent_by(count, NOW, usable, hourly, AT_20)

    assert f"{forecast:%H:%M}" == sent_by
    assert forecast.second == 0


def test_a_forecast_includes_the_jobs_that_are_submitted_first(people: Any) -> None:
    reset = timezone.now() + HOUR
    rate_limits.store(runtime.account_fingerprint(), {Group.TOOLS: RateLimit(20, 10, reset)})
    batch = planning.batch(people.ann, 6)
    first = estimates.forecast(0, batch=batch)
    assert first is not None
    assert (first.count, first.usable, first.sent_by < reset) == (6, 8, True)

    later = planning.batch(people.ben, 3)
    for _ in range(3):
        jobs.queued()
    delayed = estimates.forecast(0, batch=batch)
    assert delayed is not None
    assert delayed.sent_by > reset, "three single jobs go first: nine submissions, of which eight are usable"
    behind = estimates.forecast(0, batch=later)
    assert behind is not None
    assert behind.sent_by > reset

    for job in planning.jobs(batch):
        jobs.accept(job)
    assert estimates.forecast(0, batch=batch) is None, "none of its jobs is queued"
