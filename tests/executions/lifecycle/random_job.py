"""Everything that can happen to a job, as Hypothesis rules: from any source, at any time, repeated and late."""

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
from tests.executions.lifecycle.watched_job import Input, WatchedJob
from tests.factories import jobs

# "queued" is a local status: reported by VideoGen, it counts as an unknown one.
NOT_FINAL = some.sampled_from(["pending", "running", "running", "awaiting_approval", "hibernating", "queued"])
FINAL = some.sampled_from(sorted(TERMINAL))
RARELY = some.sampled_from([False, False, False, True])
PROGRESS = some.none() | some.sampled_from([0.0, 0.5, 10.0, 50.0, 99.9, 100.0])
ATTEMPTS = some.none() | some.integers(0, 3)
CLOCKS = some.sampled_from([timedelta(0), timedelta(minutes=-10), timedelta(minutes=10)])
SOURCES = some.sampled_from([Source.POLL, Source.WEBHOOK])

SENT = (observations.SubmissionStarted,)
ACCEPTED = (*SENT, observations.Accepted)
INITIAL_STATES: dict[str, tuple[type[observations.Observation], ...]] = {
    "being sent": SENT,
    "deferred": (*SENT, observations.SubmissionDeferred),
    "cancelled while being sent": (*SENT, observations.CancelRequested),
    "unconfirmed": (*SENT, observations.SubmissionUnconfirmed),
    "accepted": ACCEPTED,
    "running": (*ACCEPTED, observations.StatusReported),
    "cancelling": (*ACCEPTED, observations.StatusReported, observations.CancelRequested),
}
SUBMISSION = (
    observations.SubmissionStarted,
    observations.SubmissionDeferred,
    observations.SubmissionUnconfirmed,
    observations.Accepted,
    observations.Accepted,
)
# Final statuses occur only after this many steps.
MIN_STEPS_BEFORE_END = 8


class RandomJob(WatchedJob):
    """One job, and rules for everything that can happen to it."""

    @initialize(initial_state=some.sampled_from(sorted(INITIAL_STATES)))
    def begin(self, initial_state: str) -> None:
        for kind in INITIAL_STATES[initial_state]:
            self.observe(self.of_kind(kind))

    def of_kind(
        self, kind: type[observations.Observation], *, other: bool = False
    ) -> observations.Observation:
        """A realistic observation of this kind. `other`: with the id of another job."""
        now = timezone.now()
        arguments: dict[type[observations.Observation], dict[str, Any]] = {
            observations.SubmissionDeferred: {
                "reason": "busy",
                "next_attempt_at": now + timedelta(minutes=1),
            },
            observations.SubmissionUnconfirmed: {"reason": "cut"},
            observations.Accepted: {"remote_id": self.remote_id(other)},
            observations.SubmissionRejected: {"error": {"message": "no"}},
            observations.StatusReported: {
                "source": Source.POLL,
                "status": "running",
                "progress": 10.0,
                "attempt": 0,
            },
        }
        return kind(**arguments.get(kind, {}))

    # --- rules --------------------------------------------------------------------------------------------

    @rule(kind=some.sampled_from(SUBMISSION), other=RARELY)
    def submission_progresses(self, kind: type[observations.Observation], other: bool) -> None:
        self.observe(self.of_kind(kind, other=other))

    @precondition(lambda self: len(self.past) > MIN_STEPS_BEFORE_END)
    @rule()
    def submission_is_rejected(self) -> None:
        self.observe(self.of_kind(observations.SubmissionRejected))

    @rule(status=NOT_FINAL, progress=PROGRESS, attempt=ATTEMPTS, clock=CLOCKS, source=SOURCES)
    def status_is_reported(
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
        """Each report is ahead of or behind the stored progress by `step` percent."""
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
    def unknown_status_is_reported(self, source: Source) -> None:
        self.observe(observations.StatusReported(source=source, status="hibernating"))

    @precondition(lambda self: len(self.past) > MIN_STEPS_BEFORE_END)
    @rule(source=SOURCES)
    def success_is_reported(self, source: Source) -> None:
        results = jobs.results(f"vg_file_{self.job.pk}")
        self.observe(observations.StatusReported(source=source, status="succeeded", results=results))

    @precondition(lambda self: len(self.past) > MIN_STEPS_BEFORE_END)
    @rule(final=FINAL, progress=PROGRESS, attempt=ATTEMPTS, clock=CLOCKS)
    def final_status_is_polled(
        self, final: str, progress: float | None, attempt: int | None, clock: timedelta
    ) -> None:
        report = observations.StatusReported(
            source=Source.POLL,
            status=final,
            progress=progress,
            attempt=attempt,
            at=timezone.now() + clock,
            results=jobs.results(f"vg_file_{self.job.pk}") if final == "succeeded" else (),
            error={"message": "broke"} if final == "failed" else None,
        )
        self.observe(report)

    @precondition(lambda self: self.row["remote_id"] is None or len(self.past) > MIN_STEPS_BEFORE_END)
    @rule(final=FINAL, number=some.integers(0, 3), other=RARELY, clock=CLOCKS)
    def final_status_is_delivered(self, final: str, number: int, other: bool, clock: timedelta) -> None:
        """A delivery may arrive before its job is known, twice, and with the id of another job."""
        body = json.dumps(
            {
                "event": f"tool_execution.{final}",
                "toolExecutionId": self.remote_id(other),
                "toolType": "GENERATE_IMAGE",
                "occurredAt": (timezone.now() + clock).timestamp(),
                "results": [{"fileId": f"vg_file_{self.job.pk}", "type": "IMAGE"}]
                if final == "succeeded"
                else [],
            }
        ).encode()
        webhook_id = f"msg_{self.job.pk}_{number}"

        def deliver() -> bool:
            return ingest.receive(webhook_id, parse_event(body), {}, body) == "applied"

        self.apply(Input(Source.WEBHOOK, deliver))

    @rule(other=RARELY)
    def pending_deliveries_are_applied(self, other: bool) -> None:
        remote_id = self.remote_id(other)

        def apply_pending() -> bool:
            version = self.read_row()["version"]
            ingest.apply_pending(remote_id)
            return bool(self.read_row()["version"] != version)

        self.apply(Input(Source.WEBHOOK, apply_pending))

    @precondition(lambda self: len(self.past) > MIN_STEPS_BEFORE_END)
    @rule()
    def cancel_is_requested(self) -> None:
        self.observe(observations.CancelRequested())

    @rule()
    def cancel_is_accepted(self) -> None:
        self.observe(observations.CancelAccepted())

    @precondition(lambda self: self.past)
    @rule(data=some.data(), times=some.integers(1, 4))
    def earlier_observations_repeat(self, data: some.DataObject, times: int) -> None:
        for _ in range(times):
            self.apply(data.draw(some.sampled_from(self.past)))

    @precondition(lambda self: self.past)
    @rule(data=some.data())
    def the_transaction_fails(self, data: some.DataObject) -> None:
        entry = data.draw(some.sampled_from(self.past))
        deliveries = WebhookDelivery.objects.count()
        self.signals.clear()

        with pytest.raises(ZeroDivisionError), transaction.atomic():
            entry.apply()
            raise ZeroDivisionError

        assert (self.read_row(), self.read_events(), self.signals) == (self.row, self.events, [])
        assert WebhookDelivery.objects.count() == deliveries
