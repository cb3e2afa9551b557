"""List polls: many jobs polled at once, external jobs imported, unconfirmed jobs matched."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from executions import policy, tools
from executions.core import runtime
from executions.lifecycle import create, leases, observations, status_machine
from executions.models import Execution, ExternalJob
from executions.statuses import CANCELLED, FAILED, PENDING, SUCCEEDED, UNCONFIRMED
from executions.sync import external_jobs, list_poller, submit
from executions.sync import reconciler as reconcile
from executions.tools import already_validated
from executions.videogen import ServerError, ToolExecution
from tests import steps
from tests.factories.jobs import accepted, events_of, reload, report, sending
from tests.waiting import DEADLINE, eventually


def there(remote_id: str, status: str = "running", tool_type: str = "GENERATE_IMAGE") -> ToolExecution:
    return ToolExecution.from_wire({"toolExecutionId": remote_id, "status": status, "toolType": tool_type})


def lost(ago: timedelta = timedelta(seconds=30)) -> Execution:
    """An unconfirmed job that was sent `ago`."""
    execution = sending()
    status_machine.apply(execution.pk, observations.SubmissionUnconfirmed(reason="the connection was cut"))
    Execution.objects.filter(pk=execution.pk).update(sent_at=timezone.now() - ago)
    return reload(execution)


def earlier(**ago: float) -> Any:
    return timezone.now() - timedelta(**ago)


def baseline() -> None:
    external_jobs.record_baseline([], at=earlier(hours=1))


def external_rows() -> list[Execution]:
    return list(Execution.objects.filter(origin=Execution.Origin.EXTERNAL))


# --- matching ----------------------------------------------------------------------------------------------


def test_an_unconfirmed_job_is_linked_to_its_only_match(db: None) -> None:
    baseline()
    before, job = accepted("vg_tool_before"), lost()
    Execution.objects.filter(pk=before.pk).update(sent_at=earlier(seconds=50))
    external_jobs.record_listed([there("vg_tool_mine"), there("vg_tool_before")], at=earlier(seconds=10))
    external_jobs.match_and_import(timezone.now())
    assert (reload(job).status, reload(job).remote_id) == (PENDING, "vg_tool_mine")
    assert events_of(job)[-1] == ("status", "unconfirmed", "pending", "poll")
    assert not ExternalJob.objects.exclude(is_past=True).exists()


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([there("vg_tool_a"), there("vg_tool_b"), there("vg_tool_before")], id="two match"),
        pytest.param(
            [there("vg_tool_a", tool_type="TEXT_TO_SPEECH"), there("vg_tool_before")], id="another tool"
        ),
        pytest.param([there("vg_tool_before"), there("vg_tool_a")], id="start time unknown"),
    ],
)
def test_an_ambiguous_match_is_not_linked(db: None, found: list[ToolExecution]) -> None:
    baseline()
    before, job = accepted("vg_tool_before"), lost()
    Execution.objects.filter(pk=before.pk).update(sent_at=earlier(seconds=50))
    external_jobs.record_listed(found, at=earlier(seconds=10))
    external_jobs.match_and_import(timezone.now())
    assert reload(job).status == UNCONFIRMED


def test_two_unconfirmed_jobs_with_one_match_are_left_to_a_person(db: None) -> None:
    baseline()
    before, first, second = accepted("vg_tool_before"), lost(), lost()
    Execution.objects.filter(pk=before.pk).update(sent_at=earlier(seconds=50))
    external_jobs.record_listed([there("vg_tool_one"), there("vg_tool_before")], at=earlier(seconds=10))
    external_jobs.match_and_import(timezone.now())
    assert {reload(first).status, reload(second).status} == {UNCONFIRMED}
    assert [each.remote_id for each in external_jobs.candidates(first)] == ["vg_tool_one"]
    assert external_jobs.link(first.pk, "vg_tool_one", actor=policy.SYSTEM)
    assert reload(first).remote_id == "vg_tool_one"
    assert not external_jobs.link(second.pk, "vg_tool_one", actor=policy.SYSTEM), "it is linked already"
    assert reload(second).status == UNCONFIRMED


def test_a_job_with_more_matches_than_are_shown_may_own_each_of_them(db: None) -> None:
    baseline()
    first, second = lost(timedelta(seconds=190)), lost(timedelta(seconds=160))

    def met(remote_id: str, after: Any, before: Any) -> ExternalJob:
        return ExternalJob(
            remote_id=remote_id, tool=first.tool, status="running", started_after=after, started_before=before
        )

    early = met("vg_tool_early", earlier(seconds=200), earlier(seconds=150))
    # Only the second job can match these, and they are its latest matches.
    late = [met(f"vg_tool_late_{each}", earlier(seconds=110), earlier(seconds=100)) for each in range(25)]
    ExternalJob.objects.bulk_create([early, *late])
    assert external_jobs.candidates(first) == [early]
    assert early not in external_jobs.candidates(second)
    external_jobs.match_and_import(timezone.now())
    assert {reload(first).status, reload(second).status} == {UNCONFIRMED}


def test_a_possible_match_is_not_imported(db: None) -> None:
    baseline()
    lost(timedelta(minutes=5))
    external_jobs.record_listed([there("vg_tool_a"), there("vg_tool_b")], at=earlier(minutes=4))
    external_jobs.match_and_import(timezone.now())
    assert external_rows() == []


def test_a_job_overtaken_by_an_earlier_one_can_still_be_matched(db: None) -> None:
    """Of two concurrent jobs, the one sent first started last, and its response arrived after the other was lost."""
    baseline()
    slow, job = accepted("vg_tool_slow"), lost(timedelta(seconds=120))
    Execution.objects.filter(pk=slow.pk).update(
        sent_at=earlier(seconds=121), accepted_at=earlier(seconds=118)
    )
    external_jobs.record_listed([there("vg_tool_slow"), there("vg_tool_mine")], at=earlier(seconds=100))
    external_jobs.match_and_import(timezone.now())
    assert [each.remote_id for each in external_jobs.candidates(job)] == ["vg_tool_mine"]
    assert external_rows() == []


def test_an_external_job_is_imported_once_and_marked(db: None) -> None:
    baseline()
    external_jobs.record_listed([there("vg_tool_theirs")], at=earlier(minutes=4))
    for _ in range(2):
        external_jobs.match_and_import(timezone.now())
    [job] = external_rows()
    assert (job.status, job.remote_id, job.created_by, job.tool) == (
        PENDING,
        "vg_tool_theirs",
        None,
        "generate-image",
    )
    assert events_of(job) == [("started", "", "pending", "system")]
    assert job.events.get().detail == {"origin": job.origin, "remote_id": "vg_tool_theirs"}
    assert job.pk.int >> 80 == int(job.created_at.timestamp() * 1000), "sorted by its start"
    report(job, "succeeded")
    assert reload(job).status == SUCCEEDED


def test_the_import_can_be_turned_off(db: None, settings: Any) -> None:
    settings.IMPORT_ELSEWHERE = False
    baseline()
    external_jobs.record_listed([there("vg_tool_theirs")], at=earlier(minutes=4))
    external_jobs.match_and_import(timezone.now())
    assert external_rows() == []


def test_nothing_is_imported_while_a_response_is_pending(db: None) -> None:
    baseline()
    job = sending()
    external_jobs.record_listed([there("vg_tool_mine")], at=earlier(minutes=4))
    external_jobs.match_and_import(timezone.now())
    assert external_rows() == [], "the response may name it"
    status_machine.apply(job.pk, observations.Accepted(remote_id="vg_tool_mine"))
    external_jobs.match_and_import(timezone.now())
    assert external_rows() == []
    assert not ExternalJob.objects.exclude(is_past=True).exists()


def test_jobs_of_the_baseline_are_not_imported(db: None) -> None:
    at = earlier(minutes=5)
    external_jobs.record_baseline([there("vg_tool_old", "succeeded")], at=at)
    found = [there("vg_tool_new"), there("vg_tool_old", "succeeded"), there("vg_tool_older", "succeeded")]
    assert external_jobs.record_listed(found, at=at) == external_jobs.RecordResult(1, reached_baseline=True)
    external_jobs.match_and_import(timezone.now())
    assert [job.remote_id for job in external_rows()] == ["vg_tool_new"]


# --- against the sandbox ----------------------------------------------------------------------------------


def _due_now() -> None:
    Execution.objects.filter(ended_at=None).update(next_attempt_at=earlier(seconds=1), leased_until=None)


def _statuses() -> dict[str, int]:
    found = list(Execution.objects.values_list("status", flat=True))
    return {status: found.count(status) for status in set(found)}


def _start(prompt: str) -> Execution:
    body = {"prompt": prompt, "numResults": 1}
    return create.start(tool=tools.find("generate-image"), body=already_validated(body), actor=policy.SYSTEM)[
        0
    ]


async def test_one_call_polls_many_jobs(account: Any) -> None:
    calls: list[str | None] = []
    client = runtime.client()
    ask = client.list_executions

    async def counted(**kwargs: Any) -> Any:
        calls.append(kwargs.get("cursor"))
        return await ask(**kwargs)

    client.list_executions = counted  # type: ignore[method-assign]
    for number in range(6):
        job = await runtime.in_db(_start, f"pier {number} {uuid.uuid4().hex}")
        await submit.send(job.pk)
    poller = list_poller.ListPoller(steps.unlimited, reconcile.poll_interval)
    for _ in range(200):
        await runtime.in_db(_due_now)
        await poller.run()
        if set(await runtime.in_db(_statuses)) <= {SUCCEEDED, FAILED, CANCELLED}:
            break
    assert await runtime.in_db(_statuses) == {SUCCEEDED: 6}
    assert set(calls) == {None}, "one page is enough for six jobs"


async def test_a_job_started_during_a_list_poll_is_not_mismatched(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """During the list call, a job is started and its response lost. The list names it."""
    poller = list_poller.ListPoller(steps.unlimited, reconcile.poll_interval)
    await poller.run()
    await submit.send((await runtime.in_db(_start, f"what confines it {uuid.uuid4().hex}")).pk)
    never_there, overtakes = [await runtime.in_db(_start, f"a pier {uuid.uuid4().hex}") for _ in range(2)]
    steps.add_fault(account, "lost_before")
    await submit.send(never_there.pk)
    steps.add_fault(account, "lost_after")
    ask = runtime.client().list_executions

    async def slow_list(**kwargs: Any) -> Any:
        await submit.send(overtakes.pk)
        return await ask(**kwargs)

    monkeypatch.setattr(runtime.client(), "list_executions", slow_list)
    await poller.run()
    assert len(await steps.sandbox_jobs(account, overtakes.prompt)) == 1
    externals = await runtime.in_db(lambda: list(ExternalJob.objects.filter(is_past=False)))
    assert len(externals) == 1, "its job is listed, and may belong to either"
    for job in (never_there, overtakes):
        assert (await steps.reload(job)).status == UNCONFIRMED
        assert await runtime.in_db(external_jobs.candidates, await steps.reload(job)) == externals


async def test_a_job_started_by_a_script_is_imported_and_polled(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_jobs, "RESPONSE_TIMEOUT", timedelta(0))
    poller = list_poller.ListPoller(steps.unlimited, reconcile.poll_interval)
    await poller.run()
    started = account.call("POST", "/v1/tools/generate-image", {"prompt": "from a script", "numResults": 1})
    remote_id = started.json()["toolExecutionId"]
    for _ in range(200):
        await poller.run()
        found = await runtime.in_db(external_rows)
        if found and found[0].status == SUCCEEDED:
            break
    assert [job.remote_id for job in found] == [remote_id]
    assert found[0].status == SUCCEEDED


async def test_an_unlisted_job_does_not_cause_the_whole_list_to_be_read(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = runtime.client().list_executions

    async def small(**kwargs: Any) -> Any:
        return await page(**kwargs, limit=1)

    for number in range(8):
        account.call("POST", "/v1/tools/generate-image", {"prompt": f"of old {number}", "numResults": 1})
    await runtime.in_db(baseline)
    job = await runtime.in_db(_start, f"a pier {uuid.uuid4().hex}")
    await submit.send(job.pk)
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, remote_id="vg_exec_nowhere")
    monkeypatch.setattr(runtime.client(), "list_executions", small)
    poller = list_poller.ListPoller(steps.unlimited, reconcile.poll_interval)
    monkeypatch.setattr(
        external_jobs, "record_listed", lambda *_, **__: external_jobs.RecordResult(0, reached_baseline=True)
    )
    await runtime.in_db(_due_now)
    assert await poller.run() == list_poller.MAX_EMPTY_PAGES
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, note=list_poller.UNKNOWN_AT_VIDEOGEN)
    assert await poller.run() == 1, "the list is not read for a job that VideoGen does not know"


async def test_the_next_list_poll_makes_up_for_one_that_failed(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pages that were read have nothing new; the unread ones come after them."""
    await runtime.in_db(baseline)
    monkeypatch.setattr(list_poller, "MIN_PAGES_AT_START", 0)
    for number in range(5):
        account.call("POST", "/v1/tools/generate-image", {"prompt": f"script {number}", "numResults": 1})
    page, fails = runtime.client().list_executions, iter([False, False, True])

    async def small(**kwargs: Any) -> Any:
        if next(fails, False):
            raise ServerError("no", status=503)
        return await page(**kwargs, limit=1)

    monkeypatch.setattr(runtime.client(), "list_executions", small)
    poller = list_poller.ListPoller(steps.unlimited, reconcile.poll_interval)
    assert await poller.run() == 3
    externals = ExternalJob.objects.filter(is_past=False)
    assert await runtime.in_db(externals.count) == 2
    await poller.run()
    assert await runtime.in_db(externals.count) >= 5
    assert await poller.run() == 1, "only once"


async def test_starts_do_not_wait_for_a_slow_list(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    requested, may_answer = asyncio.Event(), asyncio.Event()
    page = runtime.client().list_executions

    async def hangs(**kwargs: Any) -> Any:
        requested.set()
        await may_answer.wait()
        return await page(**kwargs)

    monkeypatch.setattr(runtime.client(), "list_executions", hangs)
    reconciler = reconcile.Reconciler()
    with reconciler.listening():
        working = asyncio.create_task(reconciler.run())
        await asyncio.wait_for(requested.wait(), DEADLINE)
        job = await runtime.in_db(_start, f"a pier {uuid.uuid4().hex}")
        waiting = Execution.objects.filter(pk=job.pk, remote_id=None)
        # Before the slow call times out.
        await runtime.in_reader(
            partial(eventually, lambda: not waiting.exists(), seconds=leases.CALL_LIMIT / 2)
        )
        assert not may_answer.is_set()
        may_answer.set()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        await reconciler.drain(10)


async def test_unlisted_jobs_are_polled_individually(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many are due at once. The next list poll waits until some have been polled."""
    for number in range(list_poller.MIN_DUE + 1):
        job = await runtime.in_db(_start, f"pier {number} {uuid.uuid4().hex}")
        await submit.send(job.pk)
        await runtime.in_db(
            Execution.objects.filter(pk=job.pk).update,
            remote_id=f"vg_exec_nowhere_{number}",
            accepted_at=earlier(hours=1),
        )
    await runtime.in_db(_due_now)
    reconciler = reconcile.Reconciler()
    working = asyncio.create_task(reconciler.run())
    unknown = Execution.objects.filter(note=list_poller.UNKNOWN_AT_VIDEOGEN)
    await runtime.in_reader(eventually, lambda: unknown.count() == list_poller.MIN_DUE + 1 or None)
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working
    await reconciler.drain(10)


async def test_without_a_list_each_job_is_polled_individually(account: Any) -> None:
    missing = {"kind": "status", "match": "GET /v1/tools/executions", "status": 404}
    account.control("POST", "faults", {"faults": [missing]})
    poller = list_poller.ListPoller(steps.unlimited, reconcile.poll_interval)
    assert await poller.run() == 1
    triggered = account.control("GET", "faults")["faults"][0]["triggered"]
    job = await runtime.in_db(_start, f"a pier {uuid.uuid4().hex}")
    await submit.send(job.pk)
    for _ in range(list_poller.MIN_DUE):
        await runtime.in_db(_due_now)
        if await poller.is_due():
            await poller.work()
    assert account.control("GET", "faults")["faults"][0]["triggered"] == triggered, (
        "the list is not requested again"
    )
    reconciler = reconcile.Reconciler()
    for _ in range(400):
        await runtime.in_db(_due_now)
        await reconciler.process_now(job.pk)
        if (await runtime.in_db(reload, job)).is_terminal:
            break
    assert (await runtime.in_db(reload, job)).status == SUCCEEDED
