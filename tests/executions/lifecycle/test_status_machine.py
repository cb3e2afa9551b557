"""Random sequences of observations, applied to a job in two ways; the same ones in every run.

random_job.py defines what can happen, watched_job.py what must hold after each step. Hypothesis looks for short sequences that
break a rule. The random walks are long, with fixed seeds.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from executions.models import Event, Execution, Result, WebhookDelivery
from executions.models.event import Kind, Source
from executions.statuses import TERMINAL
from tests.executions.lifecycle.random_job import INITIAL_STATES, MIN_STEPS_BEFORE_END, SUBMISSION, RandomJob

SHORT_RUN = settings(
    max_examples=30,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
WALKS, STEPS = 16, 20
LEVELS = (None, 0.0, 0.5, 10.0, 50.0, 99.9, 100.0)
CLOCKS = (timedelta(0), timedelta(minutes=-10), timedelta(minutes=10))
BOTH = (Source.POLL, Source.WEBHOOK)
STEP_SIZES = (-50.0, -0.5, 0.0, 20.0, 20.0)

Act = Callable[[RandomJob, random.Random], object]
ANY_TIME: tuple[Act, ...] = (
    lambda job, dice: job.submission_progresses(kind=dice.choice(SUBMISSION), other=dice.random() < 0.1),
    lambda job, dice: job.status_is_reported(
        status=dice.choice(("pending", "running", "running", "awaiting_approval", "queued")),
        progress=dice.choice(LEVELS),
        attempt=dice.choice((None, 0, 1, 2, 3)),
        clock=dice.choice(CLOCKS),
        source=dice.choice(BOTH),
    ),
    lambda job, dice: job.unknown_status_is_reported(source=dice.choice(BOTH)),
    lambda job, dice: job.polls_overtake_each_other(steps=dice.choices(STEP_SIZES, k=4)),
    lambda job, dice: job.attempts_overtake_each_other(
        steps=dice.choices((-1, 0, 1), k=3), source=dice.choice(BOTH)
    ),
    lambda job, dice: job.pending_deliveries_are_applied(other=dice.random() < 0.2),
    lambda job, dice: job.cancel_is_accepted(),
    lambda job, dice: [job.apply(dice.choice(job.past)) for _ in range(3) if job.past],
)
LATE: tuple[Act, ...] = (
    lambda job, dice: job.submission_is_rejected(),
    lambda job, dice: job.cancel_is_requested(),
    lambda job, dice: job.success_is_reported(source=dice.choice(BOTH)),
    lambda job, dice: job.final_status_is_polled(
        final=dice.choice(sorted(TERMINAL)),
        progress=dice.choice(LEVELS),
        attempt=dice.choice((None, 0, 1)),
        clock=dice.choice(CLOCKS),
    ),
    lambda job, dice: job.final_status_is_delivered(
        final=dice.choice(sorted(TERMINAL)),
        number=dice.randrange(4),
        other=dice.random() < 0.2,
        clock=dice.choice(CLOCKS),
    ),
)


def walk(seed: int) -> None:
    """Take one job through STEPS random steps. Steps that finish it occur in the second half only."""
    dice = random.Random(seed)
    job = RandomJob()
    try:
        job.begin(initial_state=sorted(INITIAL_STATES)[seed % len(INITIAL_STATES)])
        if job.row["remote_id"] is None:
            LATE[-1](job, dice)
        for number in range(STEPS):
            acts = (
                ANY_TIME + LATE if number > STEPS / 2 and len(job.past) > MIN_STEPS_BEFORE_END else ANY_TIME
            )
            dice.choice(acts)(job, dice)
    finally:
        job.teardown()


def test_no_short_sequence_breaks_a_job(fast_commits: None) -> None:
    RandomJob.reached = Counter()

    run_state_machine_as_test(RandomJob, settings=SHORT_RUN)

    assert RandomJob.reached.total() > SHORT_RUN.max_examples


def test_no_long_walk_breaks_a_job(fast_commits: None) -> None:
    RandomJob.reached = Counter()

    for seed in range(WALKS):
        walk(seed)

    # Every status was reached; otherwise the walks prove nothing.
    all_statuses = {"queued", "unconfirmed", "pending", "running", "hibernating", *TERMINAL}
    assert set(RandomJob.reached) >= all_statuses
    assert RandomJob.reached["running"] > 60
    # Actions on queued jobs and comments have tests in other files.
    tested_separately = {
        Kind.PAUSED,
        Kind.RESUMED,
        Kind.MOVED_TO_FRONT,
        Kind.EDITED,
        Kind.COMMENTED,
        Kind.CANCEL_REFUSED,
    }
    assert set(Event.objects.values_list("kind", flat=True)) == set(Kind.values) - tested_separately
    outcomes = set(WebhookDelivery.objects.values_list("outcome", flat=True))
    assert outcomes == {"applied", "too late", "unknown job"}
    # Every successful job has exactly one result, and no other job has any.
    succeeded = Execution.objects.filter(status="succeeded").values_list("pk", flat=True)
    assert sorted(Result.objects.values_list("execution_id", flat=True)) == sorted(succeeded)
