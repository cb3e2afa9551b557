"""The account's list: many jobs asked after at once, others' jobs imported, lost answers matched."""

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
from executions.lifecycle import create, leases, observations
from executions.lifecycle import machine as lifecycle
from executions.models import Execution, Stranger
from executions.statuses import CANCELLED, FAILED, PENDING, SUCCEEDED, UNCONFIRMED
from executions.sync import external_jobs, list_poller, submit
from executions.sync import reconciler as reconcile
from executions.tools import already_validated
from executions.videogen import ServerError, ToolExecution
from tests.executions import service
from tests.factories.jobs import accepted, fresh, report, sending, story
from tests.waiting import DEADLINE, eventually


def there(remote_id: str, status: str = "running", tool_type: str = "GENERATE_IMAGE") -> ToolExecution:
    return ToolExecution.from_wire({"toolExecutionId": remote_id, "status": status, "toolType": tool_type})


def lost(ago: timedelta = timedelta(seconds=30)) -> Execution:
    """A job whose answer was lost, so long ago."""
    execution = sending()
    lifecycle.apply(execution.pk, observations.ResponseLost(reason="the connection was cut"))
    Execution.objects.filter(pk=execution.pk).update(sent_at=timezone.now() - ago)
    return fresh(execution)


def earlier(**ago: float) -> Any:
    return timezone.now() - timedelta(**ago)


def begun() -> None:
    external_jobs.record_baseline([], at=earlier(hours=1))


def elsewhere_jobs() -> list[Execution]:
    return list(Execution.objects.filter(origin=Execution.Origin.EXTERNAL))


# --- whose is it? -----------------------------------------------------------------------------------------


def test_a_lost_start_finds_the_only_job_that_it_can_be(db: None) -> None:
    begun()
    before, job = accepted("vg_tool_before"), lost()
    Execution.objects.filter(pk=before.pk).update(sent_at=earlier(seconds=50))
    external_jobs.record_listed([there("vg_tool_mine"), there("vg_tool_before")], at=earlier(seconds=10))
    external_jobs.match_and_import(timezone.now())
    assert (fresh(job).status, fresh(job).remote_id) == (PENDING, "vg_tool_mine")
    assert story(job)[-1] == ("status", "unconfirmed", "pending", "poll")
    assert not Stranger.objects.exclude(is_past=True).exists()


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([there("vg_tool_a"), there("vg_tool_b"), there("vg_tool_before")], id="two fit"),
        pytest.param(
            [there("vg_tool_a", tool_type="TEXT_TO_SPEECH"), there("vg_tool_before")], id="another tool"
        ),
        pytest.param([there("vg_tool_before"), there("vg_tool_a")], id="begun at nobody knows what time"),
    ],
)
def test_where_there_is_a_choice_nothing_is_guessed(db: None, found: list[ToolExecution]) -> None:
    begun()
    before, job = accepted("vg_tool_before"), lost()
    Execution.objects.filter(pk=before.pk).update(sent_at=earlier(seconds=50))
    external_jobs.record_listed(found, at=earlier(seconds=10))
    external_jobs.match_and_import(timezone.now())
    assert fresh(job).status == UNCONFIRMED


def test_two_lost_starts_and_one_job_are_left_to_the_people(db: None) -> None:
    begun()
    before, first, second = accepted("vg_tool_before"), lost(), lost()
    Execution.objects.filter(pk=before.pk).update(sent_at=earlier(seconds=50))
    external_jobs.record_listed([there("vg_tool_one"), there("vg_tool_before")], at=earlier(seconds=10))
    external_jobs.match_and_import(timezone.now())
    assert {fresh(first).status, fresh(second).status} == {UNCONFIRMED}
    assert [each.remote_id for each in external_jobs.candidates(first)] == ["vg_tool_one"]
    assert external_jobs.link(first.pk, "vg_tool_one", actor=policy.SYSTEM)
    assert fresh(first).remote_id == "vg_tool_one"
    assert not external_jobs.link(second.pk, "vg_tool_one", actor=policy.SYSTEM), "it is taken"
    assert fresh(second).status == UNCONFIRMED


def test_a_start_that_fits_more_jobs_than_are_shown_counts_as_owner_of_each(db: None) -> None:
    begun()
    first, second = lost(timedelta(seconds=190)), lost(timedelta(seconds=160))

    def met(remote_id: str, after: Any, before: Any) -> Stranger:
        return Stranger(
            remote_id=remote_id, tool=first.tool, status="running", started_after=after, started_before=before
        )

    early = met("vg_tool_early", earlier(seconds=200), earlier(seconds=150))
    # Only the second start reaches to these, and they are the newest that it fits.
    late = [met(f"vg_tool_late_{each}", earlier(seconds=110), earlier(seconds=100)) for each in range(25)]
    Stranger.objects.bulk_create([early, *late])
    assert external_jobs.candidates(first) == [early]
    assert early not in external_jobs.candidates(second)
    external_jobs.match_and_import(timezone.now())
    assert {fresh(first).status, fresh(second).status} == {UNCONFIRMED}


def test_what_may_be_a_lost_start_is_not_imported_meanwhile(db: None) -> None:
    begun()
    lost(timedelta(minutes=5))
    external_jobs.record_listed([there("vg_tool_a"), there("vg_tool_b")], at=earlier(minutes=4))
    external_jobs.match_and_import(timezone.now())
    assert elsewhere_jobs() == []


def test_a_start_that_was_overtaken_by_one_sent_before_it_may_still_own_its_job(db: None) -> None:
    """Two were under way at once: the one sent first began last there, and its answer came after the other was lost."""
    begun()
    slow, job = accepted("vg_tool_slow"), lost(timedelta(seconds=120))
    Execution.objects.filter(pk=slow.pk).update(
        sent_at=earlier(seconds=121), accepted_at=earlier(seconds=118)
    )
    external_jobs.record_listed([there("vg_tool_slow"), there("vg_tool_mine")], at=earlier(seconds=100))
    external_jobs.match_and_import(timezone.now())
    assert [each.remote_id for each in external_jobs.candidates(job)] == ["vg_tool_mine"]
    assert elsewhere_jobs() == []


def test_a_job_of_others_is_imported_once_and_marked(db: None) -> None:
    begun()
    external_jobs.record_listed([there("vg_tool_theirs")], at=earlier(minutes=4))
    for _ in range(2):
        external_jobs.match_and_import(timezone.now())
    [job] = elsewhere_jobs()
    assert (job.status, job.remote_id, job.created_by, job.tool) == (
        PENDING,
        "vg_tool_theirs",
        None,
        "generate-image",
    )
    assert story(job) == [("started", "", "pending", "system")]
    assert job.pk.int >> 80 == int(job.created_at.timestamp() * 1000), "it stands where it began"
    report(job, "succeeded")
    assert fresh(job).status == SUCCEEDED


def test_importing_can_be_turned_off(db: None, settings: Any) -> None:
    settings.IMPORT_ELSEWHERE = False
    begun()
    external_jobs.record_listed([there("vg_tool_theirs")], at=earlier(minutes=4))
    external_jobs.match_and_import(timezone.now())
    assert elsewhere_jobs() == []


def test_nothing_is_imported_while_an_answer_is_on_its_way(db: None) -> None:
    begun()
    job = sending()
    external_jobs.record_listed([there("vg_tool_mine")], at=earlier(minutes=4))
    external_jobs.match_and_import(timezone.now())
    assert elsewhere_jobs() == [], "the answer may name it"
    lifecycle.apply(job.pk, observations.Accepted(remote_id="vg_tool_mine"))
    external_jobs.match_and_import(timezone.now())
    assert elsewhere_jobs() == []
    assert not Stranger.objects.exclude(is_past=True).exists()


def test_the_accounts_past_is_not_imported(db: None) -> None:
    at = earlier(minutes=5)
    external_jobs.record_baseline([there("vg_tool_old", "succeeded")], at=at)
    found = [there("vg_tool_new"), there("vg_tool_old", "succeeded"), there("vg_tool_older", "succeeded")]
    assert external_jobs.record_listed(found, at=at) == external_jobs.RecordResult(1, reached_baseline=True)
    external_jobs.match_and_import(timezone.now())
    assert [job.remote_id for job in elsewhere_jobs()] == ["vg_tool_new"]


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


async def test_one_call_answers_for_many_jobs(account: Any) -> None:
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
    sweeper = list_poller.ListPoller(service.plenty, reconcile.poll_interval)
    for _ in range(200):
        await runtime.in_db(_due_now)
        await sweeper.run()
        if set(await runtime.in_db(_statuses)) <= {SUCCEEDED, FAILED, CANCELLED}:
            break
    assert await runtime.in_db(_statuses) == {SUCCEEDED: 6}
    assert set(calls) == {None}, "one page is enough for six jobs"


async def test_a_start_that_overtook_the_list_keeps_its_job(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list is asked for, a start is taken there and its answer lost, and the list that comes names its job."""
    sweeper = list_poller.ListPoller(service.plenty, reconcile.poll_interval)
    await sweeper.run()
    await submit.send((await runtime.in_db(_start, f"what confines it {uuid.uuid4().hex}")).pk)
    never_there, overtakes = [await runtime.in_db(_start, f"a pier {uuid.uuid4().hex}") for _ in range(2)]
    service.order(account, "lost_before")
    await submit.send(never_there.pk)
    service.order(account, "lost_after")
    ask = runtime.client().list_executions

    async def overtaken(**kwargs: Any) -> Any:
        await submit.send(overtakes.pk)
        return await ask(**kwargs)

    monkeypatch.setattr(runtime.client(), "list_executions", overtaken)
    await sweeper.run()
    assert len(service.known_there(account, overtakes.prompt)) == 1
    strangers = await runtime.in_db(lambda: list(Stranger.objects.filter(is_past=False)))
    assert len(strangers) == 1, "its job is seen, and may be either's"
    for job in (never_there, overtakes):
        assert (await service.fresh(job)).status == UNCONFIRMED
        assert await runtime.in_db(external_jobs.candidates, await service.fresh(job)) == strangers


async def test_a_job_started_by_a_script_is_found_and_followed(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_jobs, "ANSWER_TIMEOUT", timedelta(0))
    sweeper = list_poller.ListPoller(service.plenty, reconcile.poll_interval)
    await sweeper.run()
    started = account.call("POST", "/v1/tools/generate-image", {"prompt": "from a script", "numResults": 1})
    remote_id = started.json()["toolExecutionId"]
    for _ in range(200):
        await sweeper.run()
        found = await runtime.in_db(elsewhere_jobs)
        if found and found[0].status == SUCCEEDED:
            break
    assert [job.remote_id for job in found] == [remote_id]
    assert found[0].status == SUCCEEDED


async def test_a_job_that_the_list_lacks_does_not_lead_through_all_of_the_past(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = runtime.client().list_executions

    async def small(**kwargs: Any) -> Any:
        return await page(**kwargs, limit=1)

    for number in range(8):
        account.call("POST", "/v1/tools/generate-image", {"prompt": f"of old {number}", "numResults": 1})
    await runtime.in_db(begun)
    job = await runtime.in_db(_start, f"a pier {uuid.uuid4().hex}")
    await submit.send(job.pk)
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, remote_id="vg_exec_nowhere")
    monkeypatch.setattr(runtime.client(), "list_executions", small)
    sweeper = list_poller.ListPoller(service.plenty, reconcile.poll_interval)
    monkeypatch.setattr(
        external_jobs, "record_listed", lambda *_, **__: external_jobs.RecordResult(0, reached_baseline=True)
    )
    await runtime.in_db(_due_now)
    assert await sweeper.run() == list_poller.MAX_EMPTY_PAGES
    await runtime.in_db(Execution.objects.filter(pk=job.pk).update, note=list_poller.UNKNOWN_AT_VIDEOGEN)
    assert await sweeper.run() == 1, "of what is unknown there the list is not asked"


async def test_a_sweep_that_broke_off_is_made_up_for(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is new on the pages that were read before; what was not read stands behind them."""
    await runtime.in_db(begun)
    monkeypatch.setattr(list_poller, "MIN_PAGES_AT_START", 0)
    for number in range(5):
        account.call("POST", "/v1/tools/generate-image", {"prompt": f"script {number}", "numResults": 1})
    page, fails = runtime.client().list_executions, iter([False, False, True])

    async def small(**kwargs: Any) -> Any:
        if next(fails, False):
            raise ServerError("no", status=503)
        return await page(**kwargs, limit=1)

    monkeypatch.setattr(runtime.client(), "list_executions", small)
    sweeper = list_poller.ListPoller(service.plenty, reconcile.poll_interval)
    assert await sweeper.run() == 3
    strangers = Stranger.objects.filter(is_past=False)
    assert await runtime.in_db(strangers.count) == 2
    await sweeper.run()
    assert await runtime.in_db(strangers.count) >= 5
    assert await sweeper.run() == 1, "that is made up for once"


async def test_starts_do_not_wait_for_a_list_that_hangs(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()
    page = runtime.client().list_executions

    async def hangs(**kwargs: Any) -> Any:
        asked.set()
        await may_answer.wait()
        return await page(**kwargs)

    monkeypatch.setattr(runtime.client(), "list_executions", hangs)
    reconciler = reconcile.Reconciler()
    with reconciler.listening():
        working = asyncio.create_task(reconciler.run())
        await asyncio.wait_for(asked.wait(), DEADLINE)
        job = await runtime.in_db(_start, f"a pier {uuid.uuid4().hex}")
        waiting = Execution.objects.filter(pk=job.pk, remote_id=None)
        # Before the call that hangs is given up.
        await runtime.in_reader(
            partial(eventually, lambda: not waiting.exists(), seconds=leases.CALL_LIMIT / 2)
        )
        assert not may_answer.is_set()
        may_answer.set()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working
        await reconciler.drain(10)


async def test_what_the_list_lacks_is_asked_after_one_by_one(
    account: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many of them are due at once: the next sweep waits until some have been asked after."""
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


async def test_without_a_list_each_job_is_asked_after_by_itself(account: Any) -> None:
    missing = {"kind": "status", "match": "GET /v1/tools/executions", "status": 404}
    account.control("POST", "faults", {"faults": [missing]})
    sweeper = list_poller.ListPoller(service.plenty, reconcile.poll_interval)
    assert await sweeper.run() == 1
    struck = account.control("GET", "faults")["faults"][0]["struck"]
    job = await runtime.in_db(_start, f"a pier {uuid.uuid4().hex}")
    await submit.send(job.pk)
    for _ in range(list_poller.MIN_DUE):
        await runtime.in_db(_due_now)
        if await sweeper.is_due():
            await sweeper.work()
    assert account.control("GET", "faults")["faults"][0]["struck"] == struck, "it is not asked for again"
    reconciler = reconcile.Reconciler()
    for _ in range(400):
        await runtime.in_db(_due_now)
        await reconciler.process_now(job.pk)
        if (await runtime.in_db(fresh, job)).is_terminal:
            break
    assert (await runtime.in_db(fresh, job)).status == SUCCEEDED
