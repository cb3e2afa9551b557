"""What is said to somebody who waits: the usual run, and by when a batch is sent. Nothing is invented."""

from __future__ import annotations

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
from tests.factories.past_jobs import past, write

HOUR = timedelta(hours=1)


def run(seconds: float, status: str = "succeeded", tool: str = "generate-image") -> None:
    now = timezone.now()
    write(past(tool=tool, status=status, accepted_at=now, ended_at=now + timedelta(seconds=seconds)))


def test_the_usual_run_is_the_median_of_the_last_successes(db: None) -> None:
    assert estimates.usual("generate-image") is None
    cache.clear()
    for seconds in (1000, *[40] * 10, *[38] * 5, *[44] * 5):
        run(seconds)
    run(2, status="failed")
    run(3, tool="upscale-image")

    usual = estimates.usual("generate-image")

    assert usual is not None
    assert usual.words == "about 40 s, from the last 20 runs"
    cache.clear()
    run(-5)  # clocks disagree: it tells nothing
    again = estimates.usual("generate-image")
    assert again is not None
    assert again.runs == 19
    other = estimates.usual("upscale-image")
    assert other is not None
    assert other.words == "about 3 s, from the last run"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (9.4, "9 s"), (41, "40 s"), (88, "90 s"), (100, "2 min"), (4200, "1 h 10 min")],
)
def test_a_duration_does_not_pretend_to_be_exact(seconds: float, words: str) -> None:
    assert estimates.about(seconds) == words


NOW = datetime(2026, 5, 20, 14, 0, 30, tzinfo=UTC)
AT_20 = datetime(2026, 5, 20, 14, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "usable", "hourly", "by"),
    [
        (60, 450, 450, "14:02"),  # 20 s, told in whole minutes
        (450, 450, 450, "14:04"),
        (451, 450, 450, "14:22"),  # one too many: it goes when the new hour begins
        (900, 450, 450, "14:24"),
        (901, 450, 450, "15:22"),
        (1, 0, 450, "14:22"),
    ],
)
def test_a_promise_counts_the_hours_that_the_limit_makes_it_wait(
    db: None, count: int, usable: int, hourly: int, by: str
) -> None:
    found = estimates._sent_by(count, NOW, usable, hourly, AT_20)

    assert f"{found:%H:%M}" == by
    assert found.second == 0


def test_a_batchs_promise_knows_who_goes_first(people: Any) -> None:
    reset = timezone.now() + HOUR
    rate_limits.store(runtime.account_fingerprint(), {Group.TOOLS: RateLimit(20, 10, reset)})
    batch = planning.batch(people.ann, 6)
    mine = estimates.promise(0, batch=batch)
    assert mine is not None
    assert (mine.count, mine.left, mine.by < reset) == (6, 8, True)

    later = planning.batch(people.ben, 3)
    for _ in range(3):
        jobs.queued()
    moved = estimates.promise(0, batch=batch)
    assert moved is not None
    assert moved.by > reset, "three single jobs go first: nine starts, of which it may use eight"
    behind = estimates.promise(0, batch=later)
    assert behind is not None
    assert behind.by > reset

    for job in planning.jobs(batch):
        jobs.take(job)
    assert estimates.promise(0, batch=batch) is None, "nothing of it waits"
