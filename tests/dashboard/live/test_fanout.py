"""One listener for all pages of a process: every page receives updates, rendered once per audience."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator

from dashboard.live import publisher, renderer
from dashboard.live.changes import Change
from dashboard.live.consumers import LiveConsumer
from dashboard.live.fanout import RECONNECT, fanout
from dashboard.settings import IN_MEMORY_LAYER
from executions.core import runtime
from tests.factories import jobs
from tests.factories.people import People
from tests.waiting import DEADLINE, until

type Open = Callable[[Any, str], Awaitable[WebsocketCommunicator]]


@pytest.fixture
async def open_page(transactional_db: None) -> AsyncIterator[Open]:
    """Opens pages, and closes them after the test."""
    pages: list[WebsocketCommunicator] = []

    async def opened(user: Any, topic: str) -> WebsocketCommunicator:
        page = WebsocketCommunicator(LiveConsumer.as_asgi(), f"/ws/live/?topic={topic}")
        page.scope["user"] = user
        pages.append(page)
        assert (await page.connect())[0]
        return page

    yield opened
    for page in pages:
        await page.disconnect()


async def a_change() -> Change:
    execution = await runtime.in_db(jobs.queued)
    return Change(str(execution.pk), None, True, "", execution.status)


async def test_every_page_receives_updates_rendered_once_per_audience(
    people: People, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[tuple[str, str]] = []
    fragment = renderer.fragment

    def recording(kind: str, card: Any, change: Change) -> str:
        rendered.append((kind, card.audience))
        return fragment(kind, card, change)

    monkeypatch.setattr(renderer, "fragment", recording)
    viewers = [
        (who, topic) for who in (people.ann, people.ben, people.ada) for topic in ("studio", "history")
    ]
    pages = [await open_page(*viewer) for viewer in viewers]
    change = await a_change()
    await publisher.publish([change])
    for page in pages:
        assert change.id in await page.receive_from(DEADLINE)
    assert sorted(rendered) == [
        ("history", "admin"),
        ("history", "team"),
        ("studio", "admin"),
        ("studio", "team"),
    ]


async def test_pages_that_miss_an_update_reconnect(
    people: People, open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = [await open_page(people.ann, "studio"), await open_page(people.ben, "history")]
    change = await a_change()
    with monkeypatch.context() as broken:

        def fails(*_: Any) -> str:
            raise ValueError("the template is broken")

        broken.setattr(renderer, "fragment", fails)
        await publisher.publish([change])
        for page in pages:
            assert await page.receive_output(DEADLINE) == {"type": "websocket.close", "code": RECONNECT}
    back = await open_page(people.ann, "studio")
    await publisher.publish([change])
    assert change.id in await back.receive_from(DEADLINE)


@pytest.fixture
def in_memory(settings: Any) -> None:
    """The channel layer of the embedded mode, whose groups can be inspected."""
    settings.CHANNEL_LAYERS = {"default": IN_MEMORY_LAYER}


@pytest.mark.usefixtures("in_memory")
async def test_listening_stops_when_the_last_page_leaves(people: People, open_page: Open) -> None:
    first, second = await open_page(people.ann, "studio"), await open_page(people.ben, "studio")
    groups = get_channel_layer().groups
    assert len(groups[publisher.GROUP]) == 1
    await first.disconnect()
    assert len(groups[publisher.GROUP]) == 1
    await second.disconnect()
    assert publisher.GROUP not in groups


@pytest.mark.usefixtures("in_memory")
async def test_a_page_open_for_weeks_still_receives_updates(people: People, open_page: Open) -> None:
    page = await open_page(people.ann, "studio")
    groups = get_channel_layer().groups
    for channels in groups.values():
        for channel in channels:
            channels[channel] -= 30 * 24 * 3600
    change = await a_change()
    await publisher.publish([change])
    assert change.id in await page.receive_from(DEADLINE)
    assert len(groups) == 2  # the changes, and the sign-outs of this person


async def test_changes_during_a_delivery_are_merged_into_the_next(
    people: People, open_page: Open, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.REDIS_URL = ""  # receive only what this test publishes
    delivered: list[list[tuple[str, str, str]]] = []
    started, may_continue = asyncio.Event(), asyncio.Event()

    class Slow(renderer.Rendering):
        def __init__(self, changes: list[Change]) -> None:
            super().__init__(changes)
            delivered.append([(each.id, each.from_status, each.to_status) for each in changes])

        async def make(self, keys: Any) -> Any:
            started.set()
            await may_continue.wait()
            return await super().make(keys)

    monkeypatch.setattr(renderer, "Rendering", Slow)
    await open_page(people.ann, "studio")
    first, second = await a_change(), await a_change()
    await publisher.publish([first])
    await started.wait()
    for before, after in (("queued", "pending"), ("pending", "running"), ("running", "succeeded")):
        await publisher.publish([Change(second.id, None, False, before, after)])
    await publisher.publish([Change(first.id, None, False, "queued", "pending")])

    async def all_have_arrived() -> bool:
        return first.id in fanout()._waiting

    await until(all_have_arrived)
    assert len(delivered) == 1
    may_continue.set()

    async def all_are_delivered() -> bool:
        return len([each for changes in delivered for each in changes]) >= 3

    await until(all_are_delivered)
    assert delivered[0] == [(first.id, "", "queued")]
    assert [change for each in delivered[1:] for change in each] == [
        (second.id, "queued", "succeeded"),
        (first.id, "queued", "pending"),
    ]
