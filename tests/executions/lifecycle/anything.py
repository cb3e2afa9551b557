"""Everything that can happen to a job, as rules: each by its way in, at any time, doubled and late."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import strategies as some
from hypothesis.stateful import initialize, precondition, rule

from executions.lifecycle import observations
from executions.models import WebhookDelivery
from executions.models.event import Source
from executions.statuses import TERMINAL
from executions.videogen import parse_event
from executions.webhooks import ingest
from tests.executions.lifecycle.watched import News, WatchedJob
from tests.factories import jobs

# "queued" and "unconfirmed" are words of ours: from VideoGen they would be statuses that nobody knows.
NOT_FINAL = some.sampled_from(["pending", "running", "running", "awaiting_approval", "hibernating", "queued"])
ENDS = some.sampled_from(sorted(TERMINAL))
MOSTLY_NOT = some.sampled_from([False, False, False, True])
PROGRESS = some.none() | some.sampled_from([0.0, 0.5, 10.0, 50.0, 99.9, 100.0])
ATTEMPTS = some.none() | some.integers(0, 3)
CLOCKS = some.sampled_from([timedelta(0), timedelta(minutes=-10), timedelta(minutes=10)])
SOURCES = some.sampled_from([Source.POLL, Source.WEBHOOK])

SENT = (observations.SubmissionStarted,)
TAKEN = (*SENT, observations.Accepted)
BEGINNINGS: dict[str, tuple[type[observations.Observation], ...]] = {
    "being sent": SENT,
    "put off": (*SENT, observations.SubmissionDeferred),
    "stopped while being sent": (*SENT, observations.CancelRequested),
    "unconfirmed": (*SENT, observations.ResponseLost),
    "accepted": TAKEN,
    "running": (*TAKEN, observations.StatusReported),
    "cancelling": (*TAKEN, observations.StatusReported, observations.CancelRequested),
}
STARTING = (
    observations.SubmissionStarted,
    observations.SubmissionDeferred,
    observations.ResponseLost,
    observations.Accepted,
    observations.Accepted,
)
# What ends a story may come only when there is one.
LONG_ENOUGH = 8


class Anything(WatchedJob):
    """One job, and whatever can happen to it."""

    @initialize(beginning=some.sampled_from(sorted(BEGINNINGS)))
    def it_begins(self, beginning: str) -> None:
        for kind in BEGINNINGS[beginning]:
            self.observe(self.of_kind(kind))

    def of_kind(
        self, kind: type[observations.Observation], *, other: bool = False
    ) -> observations.Observation:
        """Such an observation as it comes in life; `other`: of an answer that names another job."""
        now = timezone.now()
        known: dict[type[observations.Observation], dict[str, Any]] = {
            observations.SubmissionDeferred: {
                "reason": "busy",
                "next_attempt_at": now + timedelta(minutes=1),
            },
            observations.ResponseLost: {"reason": "cut"},
            observations.Accepted: {"remote_id": self.remote_id(other)},
            observations.Rejected: {"error": {"message": "no"}},
            observations.StatusReported: {
                "source": Source.POLL,
                "status": "running",
                "progress": 10.0,
                "attempt": 0,
            },
        }
        return kind(**known.get(kind, {}))

    # --- what can happen ----------------------------------------------------------------------------------

    @rule(kind=some.sampled_from(STARTING), other=MOSTLY_NOT)
    def there_is_news_of_its_start(self, kind: type[observations.Observation], other: bool) -> None:
        self.observe(self.of_kind(kind, other=other))

    @precondition(lambda self: len(self.past) > LONG_ENOUGH)
    @rule()
    def it_is_refused(self) -> None:
        self.observe(self.of_kind(observations.Rejected))

    @rule(status=NOT_FINAL, progress=PROGRESS, attempt=ATTEMPTS, clock=CLOCKS, source=SOURCES)
    def it_is_reported(
        self, status: str, progress: float | None, attempt: int | None, clock: timedelta, source: Source
    ) -> None:
        at = timezone.now() + clock
        self.observe(
            observations.StatusReported(
                source=source, status=status, progress=progress, attempt=attempt, at=at
            )
        )

    @rule(steps=some.lists(some.sampled_from([-50.0, -0.5, 0.0, 20.0, 20.0]), min_size=2, max_size=5))
    def polls_overtake_each_other(self, steps: list[float]) -> None:
        """Each is further on than what is known, or not as far, by so many percent."""
        for step in steps:
            progress = min(100.0, max(0.0, (self.row["progress"] or 0.0) + step))
            self.observe(observations.StatusReported(source=Source.POLL, status="running", progress=progress))

    @rule(steps=some.lists(some.sampled_from([-1, 0, 1, 1]), min_size=2, max_size=4), source=SOURCES)
    def attempts_overtake_each_other(self, steps: list[int], source: Source) -> None:
        for number, step in enumerate(steps):
            attempt = max(0, (self.row["attempt"] or 0) + step)
            status = ("running", "pending")[number % 2]
            self.observe(
                observations.StatusReported(source=source, status=status, progress=5.0, attempt=attempt)
            )

    @rule(source=SOURCES)
    def it_has_a_status_that_nobody_knows(self, source: Source) -> None:
        self.observe(observations.StatusReported(source=source, status="hibernating"))

    @precondition(lambda self: len(self.past) > LONG_ENOUGH)
    @rule(source=SOURCES)
    def it_succeeds(self, source: Source) -> None:
        results = jobs.results(f"vg_file_{self.job.pk}")
        self.observe(observations.StatusReported(source=source, status="succeeded", results=results))

    @precondition(lambda self: len(self.past) > LONG_ENOUGH)
    @rule(end=ENDS, progress=PROGRESS, attempt=ATTEMPTS, clock=CLOCKS)
    def a_poll_tells_its_end(
        self, end: str, progress: float | None, attempt: int | None, clock: timedelta
    ) -> None:
        report = observations.StatusReported(
            source=Source.POLL,
            status=end,
            progress=progress,
            attempt=attempt,
            at=timezone.now() + clock,
            results=jobs.results(f"vg_file_{self.job.pk}") if end == "succeeded" else (),
            error={"message": "broke"} if end == "failed" else None,
        )
        self.observe(report)

    @precondition(lambda self: self.row["remote_id"] is None or len(self.past) > LONG_ENOUGH)
    @rule(end=ENDS, number=some.integers(0, 3), other=MOSTLY_NOT, clock=CLOCKS)
    def a_delivery_tells_its_end(self, end: str, number: int, other: bool, clock: timedelta) -> None:
        """It may come before its job is known, twice, and with another's number."""
        body = json.dumps(
            {
                "event": f"tool_execution.{end}",
                "toolExecutionId": self.remote_id(other),
                "toolType": "GENERATE_IMAGE",
                "occurredAt": (timezone.now() + clock).timestamp(),
                "results": [{"fileId": f"vg_file_{self.job.pk}", "type": "IMAGE"}]
                if end == "succeeded"
                else [],
            }
        ).encode()
        webhook_id = f"msg_{self.job.pk}_{number}"

        def deliver() -> bool:
            return ingest.receive(webhook_id, parse_event(body), {}, body) == "applied"

        self.happen(News(Source.WEBHOOK, deliver))

    @rule(other=MOSTLY_NOT)
    def what_waited_counts(self, other: bool) -> None:
        remote_id = self.remote_id(other)

        def apply_waiting() -> bool:
            version = self.read_row()["version"]
            ingest.apply_pending(remote_id)
            return bool(self.read_row()["version"] != version)

        self.happen(News(Source.WEBHOOK, apply_waiting))

    @precondition(lambda self: len(self.past) > LONG_ENOUGH)
    @rule()
    def a_person_wants_it_stopped(self) -> None:
        self.observe(observations.CancelRequested())

    @rule()
    def the_wish_is_noted(self) -> None:
        self.observe(observations.CancelAccepted())

    @precondition(lambda self: self.past)
    @rule(data=some.data(), times=some.integers(1, 4))
    def old_news_comes_again(self, data: some.DataObject, times: int) -> None:
        for _ in range(times):
            self.happen(data.draw(some.sampled_from(self.past)))

    @precondition(lambda self: self.past)
    @rule(data=some.data())
    def it_is_told_and_the_transaction_fails(self, data: some.DataObject) -> None:
        news = data.draw(some.sampled_from(self.past))
        deliveries = WebhookDelivery.objects.count()
        self.heard.clear()

        with pytest.raises(ZeroDivisionError), transaction.atomic():
            news.tell()
            raise ZeroDivisionError

        assert (self.read_row(), self.read_events(), self.heard) == (self.row, self.events, [])
        assert WebhookDelivery.objects.count() == deliveries
