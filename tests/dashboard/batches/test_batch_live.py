"""What pages hear of a batch: its own page, the list and the studio, each for its kind of viewer."""

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
from tests.markup import attribute, every

PARTS = ("state", "stop", "zip", "far", "hold", "promise")
pytestmark = pytest.mark.django_db(transaction=True)


def change(job: Execution, **told: Any) -> Change:
    batch_id = str(job.batch_id) if job.batch_id else None
    return Change(str(job.pk), job.created_by_id, told.pop("created", False), "queued", job.status, batch_id)


async def heard(user: Any, topic: str, *changes: Change) -> list[str]:
    rendering = renderer.Rendering(list(changes))
    keys = rendering.keys(topic, user)
    left = keys
    while left:
        left = await rendering.make(left)
    return list(rendering.frames(keys))


async def started(user: Any, count: int = 3, **options: Any) -> tuple[Batch, list[Execution]]:
    batch = await runtime.in_db(planning.batch, user, count, **options)
    return batch, await runtime.in_db(planning.jobs, batch)


def targets(frames: list[str]) -> set[str]:
    """What on the page the frames take the place of."""
    found = "tr[id], div[id], article[id]"
    return {attribute(node, "id") for frame in frames for node in every(frame, found)}


def says(frames: list[str], words: str) -> bool:
    return any(words in frame for frame in frames)


async def test_a_batchs_page_hears_of_its_jobs_and_how_far_it_is(people: Any) -> None:
    batch, (first, *_) = await started(people.ann)
    _, (foreign, *_) = await started(people.ben)
    single = await runtime.in_db(jobs.queued)
    first = await runtime.in_db(planning.end, first, "succeeded")

    frames = await heard(people.ann, f"batch:{batch.pk}", change(first), change(foreign), change(single))

    assert targets(frames) == {f"row-{first.pk}", *(f"{part}-{batch.pk}" for part in PARTS)}
    assert says(frames, "1 of 3 ended")
    assert says(frames, "Cancel what is left")
    assert not says(await heard(people.ben, f"batch:{batch.pk}", change(first)), "Cancel what is left")
    assert says(await heard(people.ada, f"batch:{batch.pk}", change(first)), "Cancel what is left")


async def test_the_studio_shows_a_batch_as_one_line(people: Any) -> None:
    batch, all_jobs = await started(people.ann, held=True)

    frames = await heard(people.ben, "studio", *(change(job, created=True) for job in all_jobs))

    assert targets(frames) == {f"batch-{batch.pk}"}
    assert says(frames, 'hx-swap-oob="afterbegin:#flight"')
    assert says(frames, "starts in a moment")


async def test_the_studio_lets_go_of_a_batch_that_has_ended_and_shows_what_came_of_it(people: Any) -> None:
    batch, (only,) = await started(people.ann, 1)
    only = await runtime.in_db(planning.end, only, "succeeded")

    frames = await heard(people.ann, "studio", change(only))

    assert says(frames, f'hx-swap-oob="delete:#batch-{batch.pk}"')
    assert targets(frames) == {f"take-{only.pk}"}


async def test_the_list_moves_while_a_batch_runs(people: Any) -> None:
    batch, (first, *_) = await started(people.ann)
    first = await runtime.in_db(planning.end, first, "failed")

    frames = await heard(people.ben, "batches", change(first))

    assert targets(frames) == {f"batch-{batch.pk}"}
    assert says(frames, "1 of 3 ended")
    assert says(frames, 'hx-swap-oob="true"')


async def test_starting_a_batch_tells_its_id_with_every_job(people: Any) -> None:
    plan = await runtime.in_db(planning.plan, people.ann, 2)
    told: list[dict[str, Any]] = []

    def listen(**kwargs: Any) -> None:
        told.append(kwargs)

    execution_changed.connect(listen)
    try:
        batch, _ = await runtime.in_db(batches.confirm, plan.pk, actor=people.ann)
    finally:
        execution_changed.disconnect(listen)

    assert [(each["batch_id"], each["created"]) for each in told] == [(batch.pk, True)] * 2


@pytest.mark.parametrize(("there", "taken"), [(True, True), (False, False)])
async def test_only_a_batch_that_is_there_can_be_listened_to(people: Any, there: bool, taken: bool) -> None:
    batch = await runtime.in_db(planning.batch, people.ann, 1)
    topic = f"batch:{batch.pk if there else uuid.uuid4()}"
    page = WebsocketCommunicator(LiveConsumer.as_asgi(), f"/ws/live/?topic={topic}")
    page.scope["user"] = people.ben

    assert (await page.connect())[0] is taken
    await page.disconnect()
