"""Stories that nobody would write by hand, told to a job in two ways; each time the same ones.

What can happen is in anything.py, what must be true after each step in watched.py. Hypothesis looks for short
stories that break a rule; the walks are long, and their dice are the same in every version of everything.
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
from tests.executions.lifecycle.anything import BEGINNINGS, LONG_ENOUGH, STARTING, Anything

FEW = settings(
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

Act = Callable[[Anything, random.Random], object]
ANY_TIME: tuple[Act, ...] = (
    lambda job, die: job.there_is_news_of_its_start(kind=die.choice(STARTING), other=die.random() < 0.1),
    lambda job, die: job.it_is_reported(
        status=die.choice(("pending", "running", "running", "awaiting_approval", "queued")),
        progress=die.choice(LEVELS),
        attempt=die.choice((None, 0, 1, 2, 3)),
        clock=die.choice(CLOCKS),
        source=die.choice(BOTH),
    ),
    lambda job, die: job.it_has_a_status_that_nobody_knows(source=die.choice(BOTH)),
    lambda job, die: job.polls_overtake_each_other(steps=die.choices(STEP_SIZES, k=4)),
    lambda job, die: job.attempts_overtake_each_other(
        steps=die.choices((-1, 0, 1), k=3), source=die.choice(BOTH)
    ),
    lambda job, die: job.what_waited_counts(other=die.random() < 0.2),
    lambda job, die: job.the_wish_is_noted(),
    lambda job, die: [job.happen(die.choice(job.past)) for _ in range(3) if job.past],
)
LATE: tuple[Act, ...] = (
    lambda job, die: job.it_is_refused(),
    lambda job, die: job.a_person_wants_it_stopped(),
    lambda job, die: job.it_succeeds(source=die.choice(BOTH)),
    lambda job, die: job.a_poll_tells_its_end(
        end=die.choice(sorted(TERMINAL)),
        progress=die.choice(LEVELS),
        attempt=die.choice((None, 0, 1)),
        clock=die.choice(CLOCKS),
    ),
    lambda job, die: job.a_delivery_tells_its_end(
        end=die.choice(sorted(TERMINAL)),
        number=die.randrange(4),
        other=die.random() < 0.2,
        clock=die.choice(CLOCKS),
    ),
)


def walk(seed: int) -> None:
    """One job from a beginning of its own, through so many steps; what ends it comes in the second half."""
    die = random.Random(seed)
    job = Anything()
    try:
        job.it_begins(beginning=sorted(BEGINNINGS)[seed % len(BEGINNINGS)])
        if job.row["remote_id"] is None:
            LATE[-1](job, die)
        for number in range(STEPS):
            acts = ANY_TIME + LATE if number > STEPS / 2 and len(job.past) > LONG_ENOUGH else ANY_TIME
            die.choice(acts)(job, die)
    finally:
        job.teardown()


def test_no_order_of_news_breaks_a_job(fast_commits: None) -> None:
    Anything.reached = Counter()

    run_state_machine_as_test(Anything, settings=FEW)

    assert Anything.reached.total() > FEW.max_examples


def test_no_long_story_breaks_a_job(fast_commits: None) -> None:
    Anything.reached = Counter()

    for seed in range(WALKS):
        walk(seed)

    # The walks went everywhere, or the above proves nothing.
    everywhere = {"queued", "unconfirmed", "pending", "running", "hibernating", *TERMINAL}
    assert set(Anything.reached) >= everywhere
    assert Anything.reached["running"] > 60
    # What people do with a job that waits, or say about it, is told in files of its own.
    elsewhere = {
        Kind.PAUSED,
        Kind.RESUMED,
        Kind.MOVED_TO_FRONT,
        Kind.EDITED,
        Kind.COMMENTED,
        Kind.CANCEL_REFUSED,
    }
    assert set(Event.objects.values_list("kind", flat=True)) == set(Kind.values) - elsewhere
    outcomes = set(WebhookDelivery.objects.values_list("outcome", flat=True))
    assert outcomes == {"applied", "too late", "unknown job"}
    # Whatever succeeded has its one result, and nothing else has any.
    succeeded = Execution.objects.filter(status="succeeded").values_list("pk", flat=True)
    assert sorted(Result.objects.values_list("execution_id", flat=True)) == sorted(succeeded)
