"""A job whose row and events are checked after everything that is applied to it."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from hypothesis.stateful import RuleBasedStateMachine

from executions.lifecycle import observations, status_machine
from executions.models import Event, Execution
from executions.models.event import Kind, Source
from executions.signals import execution_changed
from executions.statuses import TERMINAL
from tests.factories import jobs

Step = tuple[str, str, str, str, bool]


@dataclass(frozen=True)
class Input:
    """Something to apply to the job, and its source. `apply` returns whether the job changed."""

    source: Source
    apply: Callable[[], bool]


class WatchedJob(RuleBasedStateMachine):
    """A subclass adds the rules, each of which calls `apply`."""

    # Number of steps that led to each status, over all sequences of a run.
    reached: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.signals: list[tuple[uuid.UUID, str, str, bool]] = []
        execution_changed.connect(self.record_signal)
        self.job = jobs.queued()
        self.past: list[Input] = []
        self.ended_as: str | None = None
        self.row, self.events = self.read_row(), self.read_events()

    def record_signal(self, *, execution_id: uuid.UUID, from_status: str, to_status: str, **_: Any) -> None:
        self.signals.append((execution_id, from_status, to_status, connection.in_atomic_block))

    def teardown(self) -> None:
        execution_changed.disconnect(self.record_signal)

    def remote_id(self, other: bool = False) -> str:
        return f"vg_exec_{'other_' if other else ''}{self.job.pk}"

    def observe(self, observation: observations.Observation) -> None:
        self.apply(Input(observation.source, lambda: status_machine.apply(self.job.pk, observation)))

    def apply(self, entry: Input) -> None:
        self.past.append(entry)
        before, events = self.row, self.events
        self.signals.clear()

        with transaction.atomic():
            changed = entry.apply()
            assert self.signals == [], "sent before the commit"

        self.row, self.events = self.read_row(), self.read_events()
        after = self.row
        self.reached[after["status"]] += 1
        assert changed == (after != before)
        assert after["version"] == before["version"] + int(changed)
        expected = [(self.job.pk, before["status"], after["status"], False)]
        assert self.signals == (expected if changed else [])
        self.check_events(before["status"], after["status"], events, changed, entry.source)
        self.check_end(after)
        self.check_progress(before, after)

    def check_events(
        self, before: str, after: str, earlier: list[Step], changed: bool, source: Source
    ) -> None:
        """The events match the changes: replaying them leads to the status."""
        assert self.events[: len(earlier)] == earlier, "history was rewritten"
        added = self.events[len(earlier) :]
        assert len(added) <= int(changed)
        assert before == after or [step[1:3] for step in added] == [(before, after)]
        for kind, start, end, event_source, has_delivery in added:
            assert (start, end, event_source) == (before, after, source)
            assert (kind == Kind.STATUS) == (start != end)
            assert not has_delivery or source == Source.WEBHOOK
        assert self.events[-1][2] == after

    def check_end(self, row: dict[str, Any]) -> None:
        assert self.ended_as in (None, row["status"]), "a final status changed"
        if row["status"] in TERMINAL:
            self.ended_as = row["status"]
            assert row["ended_at"] <= timezone.now()
            assert row["next_attempt_at"] is None
        else:
            assert row["ended_at"] is None
        finals = [end for _, start, end, *_ in self.events if end in TERMINAL and start != end]
        assert finals == ([] if self.ended_as is None else [self.ended_as])

    def check_progress(self, before: dict[str, Any], after: dict[str, Any]) -> None:
        old, new = before["attempt"] or 0, after["attempt"] or 0
        assert new >= old, "an attempt went back"
        if new == old and before["progress"] is not None:
            assert after["progress"] is not None
            assert after["progress"] >= before["progress"], "progress went back within an attempt"

    def read_row(self) -> dict[str, Any]:
        return Execution.objects.filter(pk=self.job.pk).values().get()

    def read_events(self) -> list[Step]:
        columns = ("kind", "from_status", "to_status", "source", "delivery_id")
        events = Event.objects.filter(execution=self.job).values_list(*columns)
        return [(*step, delivery_id is not None) for *step, delivery_id in events]
