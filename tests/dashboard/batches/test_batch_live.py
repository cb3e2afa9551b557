"""Live updates of a batch on its own page, in the list and in the studio, for each kind of viewer."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator

from dashboard.live import renderer
from dashboard.live.changes import Change
from dashboard.live.consumers import LiveConsumer
from executions.batches import service as batches
from executions.core import runtime
from executions.models import Batch, Execution
from executions.signals import execution_changed
from tests.factories import jobs, planning
from tests.markup import attribute, every, links

PARTS = ("state", "stop", "zip", "far", "hold", "forecast")
pytestmark = pytest.mark.django_db(transaction=True)


def change(job: Execution, **options: Any) -> Change:
    batch_id = str(job.batch_id) if job.batch_id else None
    return Change(
        str(job.pk), job.created_by_id, options.pop("created", False), "queued", job.status, batch_id
    )


async def updates(user: Any, topic: str, *changes: Change) -> list[str]:
    rendering = renderer.Rendering(list(changes))
    keys = rendering.keys(topic, user)
    remaining = keys
    while remaining:
        remaining = await rendering.make(remaining)
    return list(rendering.frames(keys))


async def started(user: Any, count: int = 3, **options: Any) -> tuple[Batch, list[Execution]]:
    batch = await runtime.in_db(planning.batch, user, count, **options)
    return batch, await runtime.in_db(planning.jobs, batch)


def targets(frames: list[str]) -> set[str]:
    """The ids of the elements that the frames replace."""
    found = "tr[id], div[id], article[id]"
    return {attribute(node, "id") for frame in frames for node in every(frame, found)}


def swaps(frames: list[str]) -> set[str]:
    """How and where the frames are swapped into the page."""
    return {swap for frame in frames for swap in links(frame, "[hx-swap-oob]", "hx-swap-oob")}


def contains(frames: list[str], words: str) -> bool:
    return any(words in frame for frame in frames)


async def test_a_batch_page_receives_its_jobs_and_progress(people: Any) -> None:
    batch, (first, *_) = await started(people.ann)
    _, (foreign, *_) = await started(people.ben)
    single = await runtime.in_db(jobs.queued)
    first = await runtime.in_db(planning.finish, first, "succeeded")

    frames = await updates(people.ann, f"batch:{batch.pk}", change(first), change(foreign), change(single))

    assert targets(frames) == {f"row-{first.pk}", *(f"{part}-{batch.pk}" for part in PARTS)}
    assert contains(frames, "1 of 3 finished")
    assert contains(frames, "Cancel all")
    assert not contains(await updates(people.ben, f"batch:{batch.pk}", change(first)), "Cancel all")
    assert contains(await updates(people.ada, f"batch:{batch.pk}", change(first)), "Cancel all")


async def test_the_studio_shows_a_batch_as_one_line(people: Any) -> None:
    batch, all_jobs = await started(people.ann, held=True)

    frames = await updates(people.ben, "studio", *(change(job, created=True) for job in all_jobs))

    assert targets(frames) == {f"batch-{batch.pk}"}
    assert "afterbegin:#flight" in swaps(frames)
    assert contains(frames, "starting soon")


async def test_the_studio_replaces_a_finished_batch_by_its_results(people: Any) -> None:
    batch, (only,) = await started(people.ann, 1)
    only = await runtime.in_db(planning.finish, only, "succeeded")

    frames = await updates(people.ann, "studio", change(only))

    assert f"delete:#batch-{batch.pk}" in swaps(frames)
    assert targets(frames) == {f"finished-{only.pk}"}


async def test_the_list_updates_while_a_batch_runs(people: Any) -> None:
    batch, (first, *_) = await started(people.ann)
    first = await runtime.in_db(planning.finish, first, "failed")

    frames = await updates(people.ben, "batches", change(first))

    assert targets(frames) == {f"batch-{batch.pk}"}
    assert contains(frames, "1 of 3 finished")
    assert "true" in swaps(frames)


async def test_the_signal_of_each_job_names_its_batch(people: Any) -> None:
    plan = await runtime.in_db(planning.plan, people.ann, 2)
    signals: list[dict[str, Any]] = []

    def listen(**kwargs: Any) -> None:
        signals.append(kwargs)

    execution_changed.connect(listen)
    try:
        batch, _ = await runtime.in_db(batches.confirm, plan.pk, actor=people.ann)
    finally:
        execution_changed.disconnect(listen)

    assert [(each["batch_id"], each["created"]) for each in signals] == [(batch.pk, True)] * 2


@pytest.mark.parametrize(("exists", "accepted"), [(True, True), (False, False)])
async def test_only_an_existing_batch_has_a_topic(people: Any, exists: bool, accepted: bool) -> None:
    batch = await runtime.in_db(planning.batch, people.ann, 1)
    topic = f"batch:{batch.pk if exists else uuid.uuid4()}"
    page = WebsocketCommunicator(LiveConsumer.as_asgi(), f"/ws/live/?topic={topic}")
    page.scope["user"] = people.ben

    assert (await page.connect())[0] is accepted
    await page.disconnect()
