"""Concurrent observations of the same job, in real threads with real transactions."""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection, connections, transaction

from executions import tools
from executions.lifecycle import create, observations, status_machine
from executions.models import Event, Execution, Result, WebhookDelivery
from executions.models.event import Kind, Source
from executions.tools import already_validated
from executions.webhooks import ingest
from tests.factories import deliveries, jobs
from tests.threads import run_together
from tests.waiting import DEADLINE

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = range(6)


@pytest.mark.parametrize("seed", ROUNDS)
def test_concurrent_final_statuses_make_one_outcome(seed: int) -> None:
    job = jobs.running(f"vg_exec_{seed}")
    ends = ["succeeded", "failed", "cancelled"]
    calls: list[Callable[[], bool]] = [
        lambda number=number, end=end: (
            deliveries.ingest_outcome(f"msg_{number}", f"vg_exec_{seed}", end) == "applied"
        )
        for number, end in enumerate(ends)
    ]
    calls += [partial(jobs.report, job, end, results=jobs.results("vg_file_polled")) for end in ends]
    calls += [partial(jobs.report, job, "running", progress=50.0 + 10 * number) for number in range(2)]
    calls += [partial(status_machine.apply, job.pk, observations.CancelRequested())]
    random.Random(seed).shuffle(calls)
    before = jobs.reload(job).version

    changed = run_together(calls)

    now = jobs.reload(job)
    assert now.is_terminal
    assert jobs.final_statuses(job) == [now.status]
    assert jobs.replay_status(job) == now.status
    assert now.version == before + sum(changed)
    assert now.ended_at is not None
    outcomes = WebhookDelivery.objects.values_list("outcome", flat=True)
    by_webhook = Event.objects.filter(execution=job, source=Source.WEBHOOK).count()
    assert sorted(outcomes) == ["applied"] * by_webhook + ["too late"] * (3 - by_webhook)


@pytest.mark.parametrize("seed", ROUNDS)
def test_ten_concurrent_attempts_of_a_delivery_are_one_delivery(seed: int) -> None:
    job = jobs.accepted(f"vg_exec_{seed}")

    outcomes = run_together(
        [partial(deliveries.ingest_outcome, "msg_1", f"vg_exec_{seed}", "succeeded")] * 10
    )

    assert sorted(outcomes) == ["applied"] + ["repeat"] * 9
    assert WebhookDelivery.objects.count() == 1
    assert jobs.final_statuses(job) == ["succeeded"]
    assert Result.objects.filter(execution=job).count() == 1


@pytest.mark.parametrize("seed", ROUNDS)
def test_readers_never_see_progress_go_back(seed: int) -> None:
    job = jobs.running(f"vg_exec_{seed}")
    reports = list(itertools.product([0, 1, 2], [5.0, 40.0, 80.0]))
    random.Random(seed).shuffle(reports)
    done = threading.Event()
    reads: list[tuple[int, float]] = []

    def read() -> bool:
        while not done.is_set():
            now = jobs.reload(job)
            reads.append((now.attempt or 0, now.progress or 0.0))
        return False

    def report(share: list[tuple[int, float]]) -> bool:
        try:
            gate.wait(DEADLINE)
            for attempt, progress in share:
                jobs.report(job, "running", attempt=attempt, progress=progress)
            return True
        finally:
            if gate.wait(DEADLINE) == 0:
                done.set()

    gate = threading.Barrier(3)
    run_together([read, *(partial(report, reports[number::3]) for number in range(3))])

    assert reads == sorted(reads)
    now = jobs.reload(job)
    assert (now.attempt, now.progress) == (2, 80.0)
    attempts = Event.objects.filter(execution=job, kind=Kind.ATTEMPT)
    assert list(attempts.values_list("detail__attempt", flat=True)) in ([1, 2], [2])
    assert jobs.replay_status(job) == "running"


@pytest.mark.parametrize("seed", ROUNDS)
def test_a_concurrent_cancel_and_submission_agree(seed: int) -> None:
    job = jobs.queued()

    run_together(
        [
            lambda kind=kind: status_machine.apply(job.pk, kind())
            for kind in (observations.CancelRequested, observations.SubmissionStarted)
        ]
    )

    now = jobs.reload(job)
    if now.status == "cancelled":
        assert now.sent_at is None, "it was cancelled here, so it must never have been sent"
    else:
        assert now.status == "queued"
        assert now.sent_at is not None
        assert now.cancel_requested_at is not None
    assert jobs.replay_status(job) == now.status


@pytest.mark.parametrize("seed", ROUNDS)
def test_a_form_sent_by_many_threads_creates_one_job(seed: int, ann: Any) -> None:
    tool = tools.find("generate-image")

    started = run_together(
        [partial(create.start, tool=tool, body=already_validated({"prompt": "x"}), actor=ann, key="once")] * 6
    )

    assert len({job.pk for job, _ in started}) == 1
    assert sorted(is_new for _, is_new in started) == [False] * 5 + [True]
    assert Execution.objects.count() == 1
    assert Event.objects.count() == 1


@pytest.mark.parametrize("seed", ROUNDS)
def test_an_id_for_two_jobs_at_once_is_given_to_one(seed: int) -> None:
    sent = [jobs.sending(), jobs.sending()]

    def accept(job: Execution) -> bool:
        try:
            return status_machine.apply(job.pk, observations.Accepted(remote_id="vg_exec_same"))
        except IntegrityError:
            return False

    assert sorted(run_together([partial(accept, job) for job in sent])) == [False, True]
    assert sorted(jobs.reload(job).status for job in sent) == ["pending", "queued"]


# --- a delivery that crosses the response with the id of its job ----------------------------------------------


@pytest.mark.parametrize("seed", ROUNDS)
def test_a_delivery_that_crosses_the_response_is_applied(seed: int) -> None:
    remote_id = f"vg_exec_{seed}"
    job = jobs.sending()

    def accept() -> str:
        status_machine.apply(job.pk, observations.Accepted(remote_id=remote_id))
        ingest.apply_pending(remote_id)
        return "accepted"

    run_together([accept, partial(deliveries.ingest_outcome, "msg_1", remote_id, "succeeded")])

    assert jobs.reload(job).status == "succeeded"
    assert WebhookDelivery.objects.get().outcome == "applied"
    assert jobs.final_statuses(job) == ["succeeded"]


def test_a_delivery_committed_after_the_response_is_applied() -> None:
    if connection.vendor == "sqlite":
        # One writer at a time: the delivery is committed either before the response is stored, or after it.
        assert connection.settings_dict["OPTIONS"]["transaction_mode"] == "IMMEDIATE"
        return
    job = jobs.sending()
    stored, accepted = threading.Event(), threading.Event()

    def deliver_slowly() -> None:
        try:
            with transaction.atomic():
                assert deliveries.ingest_outcome("msg_1", "vg_exec_slow", "succeeded") == "unknown job"
                stored.set()
                assert accepted.wait(DEADLINE)
        finally:
            connections.close_all()

    thread = threading.Thread(target=deliver_slowly)
    thread.start()
    assert stored.wait(DEADLINE)
    status_machine.apply(job.pk, observations.Accepted(remote_id="vg_exec_slow"))
    ingest.apply_pending("vg_exec_slow")
    accepted.set()
    thread.join(DEADLINE)

    assert jobs.reload(job).status == "succeeded"
    assert WebhookDelivery.objects.get().outcome == "applied"
