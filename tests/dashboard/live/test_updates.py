"""Live updates: collected, rendered once per audience, and sent to every page in order."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest

from dashboard.live import publisher, renderer
from dashboard.live.changes import Change
from executions.core import runtime
from executions.lifecycle import observations, status_machine
from tests.dashboard.browsers import Browser, text
from tests.dashboard.sockets import assert_no_job_follows, open_socket, receive_until
from tests.factories.jobs import advance, job
from tests.markup import attribute, every, one, plain_text
from tests.waiting import DEADLINE, until

pytestmark = pytest.mark.django_db(transaction=True)


def change(execution: Any, before: str = "pending", created: bool = False) -> Change:
    return Change(str(execution.pk), execution.created_by_id, created, before, execution.status)


# --- collecting -------------------------------------------------------------------------------------------


def test_changes_of_one_job_are_merged() -> None:
    first = Change("a", 1, True, "", "queued")
    merged = first.merged(Change("a", 1, False, "queued", "pending")).merged(
        Change("a", 1, False, "pending", "succeeded")
    )
    assert merged == Change("a", 1, True, "", "succeeded")
    assert merged.ended
    assert not Change("a", 1, False, "succeeded", "succeeded").ended


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[list[Change]]:
    messages: list[list[Change]] = []

    async def publish(changes: Any) -> None:
        messages.append(list(changes))

    monkeypatch.setattr(publisher, "publish", publish)
    return messages


async def test_the_first_change_is_sent_at_once_and_later_ones_together(
    published: list[list[Change]],
) -> None:
    broadcaster = publisher.Broadcaster()
    broadcaster.note(Change("a", 1, True, "", "queued"))
    await until(lambda: len(published) == 1)
    for number in range(20):
        broadcaster.note(Change("a", 1, False, "queued", f"status {number}"))
        broadcaster.note(Change("b", 1, number == 0, "", f"status {number}"))
    await until(lambda: len(published) == 2)
    assert [(each.id, each.to_status) for each in published[1]] == [("a", "status 19"), ("b", "status 19")]
    assert published[1][1].created


async def test_a_failing_channel_layer_does_not_stop_publishing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sent = []

    async def publish(changes: Any) -> None:
        if not sent:
            sent.append("failed")
            raise ConnectionError("the layer is away")
        sent.extend(each.id for each in changes)

    monkeypatch.setattr(publisher, "publish", publish)
    broadcaster = publisher.Broadcaster()
    with caplog.at_level(logging.WARNING):
        broadcaster.note(Change("a", 1, True, "", "queued"))
        await until(lambda: sent == ["failed"])
        broadcaster.note(Change("b", 1, True, "", "queued"))
        await until(lambda: sent == ["failed", "b"])
    assert "Could not publish live updates: the layer is away" in caplog.text


# --- rendering --------------------------------------------------------------------------------------------


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[str, str]]:
    """How often each fragment was rendered, by kind of page and audience."""
    counted: Counter[tuple[str, str]] = Counter()
    render = renderer.fragment

    def counting(kind: str, card: Any, change: Change) -> str:
        counted[kind, card.audience] += 1
        return render(kind, card, change)

    monkeypatch.setattr(renderer, "fragment", counting)
    return counted


async def test_each_kind_of_viewer_is_rendered_once(
    rendered: Counter[tuple[str, str]], ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "queued", "a shared pier")
    pages = [
        await open_socket(each, "studio")
        for each in (ann_browser, ann_browser, ben_browser, ben_browser, ada_browser)
    ]
    await publisher.publish([change(execution, "", created=True)])
    for page in pages:
        assert "a shared pier" in await receive_until(page, "a shared pier")
    assert rendered == {("studio", "owner"): 1, ("studio", "team"): 1, ("studio", "admin"): 1}
    for page in pages:
        await page.disconnect()


async def test_only_people_who_may_cancel_see_the_button(
    ann_browser: Browser, ben_browser: Browser, ada_browser: Browser
) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "running", "a shared pier")
    pages = {each: await open_socket(each, "studio") for each in (ann_browser, ben_browser, ada_browser)}
    await publisher.publish([change(execution)])
    buttons = {each: "/cancel/" in await receive_until(page, "a shared pier") for each, page in pages.items()}
    assert buttons == {ann_browser: True, ben_browser: False, ada_browser: True}
    for page in pages.values():
        await page.disconnect()


async def test_a_page_receives_only_what_it_shows(ann_browser: Browser) -> None:
    mine = await runtime.in_db(job, ann_browser.user, "running", "my pier")
    other = await runtime.in_db(job, ann_browser.user, "running", "another pier")
    pages = {
        topic: await open_socket(ann_browser, topic)
        for topic in ("studio", "history", "rows", f"job:{mine.pk}")
    }
    await publisher.publish([change(other), change(mine)])
    frames = {topic: await receive_until(page, "my pier") for topic, page in pages.items()}
    assert every(frames["studio"], f"#job-{mine.pk}")
    assert every(frames["history"], f"#row-{mine.pk}")
    assert every(frames["rows"], f"#row-{mine.pk}")
    assert every(frames[f"job:{mine.pk}"], f"#head-{mine.pk}")
    assert "another pier" not in frames[f"job:{mine.pk}"]
    assert "another pier" in frames["studio"]
    for page in pages.values():
        await assert_no_job_follows(page)
        await page.disconnect()


async def test_only_the_first_history_page_receives_new_jobs(ann_browser: Browser) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "queued", "a new pier")
    history, rows = await open_socket(ann_browser, "history"), await open_socket(ann_browser, "rows")
    await publisher.publish([change(execution, "", created=True)])
    frame = await receive_until(history, 'id="arrived"')
    assert "a new pier" not in frame, "nothing that is being read may move"
    assert "nav-in-flight" in await rows.receive_from(DEADLINE)
    await assert_no_job_follows(rows)
    await history.disconnect()
    await rows.disconnect()


async def test_the_count_in_flight_has_its_own_frame(ann_browser: Browser) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "succeeded", "a done pier")
    page = await open_socket(ann_browser, "history")
    await publisher.publish([change(execution)])
    row, count = await page.receive_from(DEADLINE), await page.receive_from(DEADLINE)
    assert "a done pier" in row
    assert attribute(one(count, "span.number#nav-in-flight"), "hx-swap-oob") == "true"
    assert plain_text(count) == ""
    await page.disconnect()


async def test_changes_arrive_in_order(account: Any, ann_browser: Browser) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "queued", "an ordered pier")
    page = await open_socket(ann_browser, f"job:{execution.pk}")
    steps = [
        ("queued", observations.SubmissionStarted()),
        ("pending", observations.Accepted(remote_id=f"vg_exec_{execution.pk.hex}")),
        ("running", None),
        ("succeeded", None),
    ]
    for status, observation in steps:
        if observation is not None:
            await runtime.in_db(status_machine.apply, execution.pk, observation)
        else:
            await runtime.in_db(advance, execution, status)
        frame = await receive_until(page, f'data-status="{status}"')
        assert every(frame, f"header#head-{execution.pk}")
    await page.disconnect()


async def test_a_lost_update_is_there_after_a_refetch(
    ann_browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "running", "a lost pier")
    [board] = every(await ann_browser.aget("/"), '[hx-get="/board/"]')
    assert attribute(board, "hx-trigger") == "htmx:wsOpen from:body, rushes:refetch from:body"
    page = await open_socket(ann_browser, "studio")
    await page.disconnect()

    async def lost(*args: Any) -> None:
        raise ConnectionError("lost")

    with monkeypatch.context() as broken:
        broken.setattr(publisher, "publish", lost)
        await runtime.in_db(advance, execution, "succeeded")
    page = await open_socket(ann_browser, "studio")
    board = await ann_browser.aget("/board/")
    assert "a lost pier" not in plain_text(board, 'section[aria-labelledby="flight-title"]')
    assert "a lost pier" in plain_text(board, "#finished")
    await page.disconnect()


async def test_the_response_to_an_action_contains_its_update(ann_browser: Browser) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "running", "my own pier")
    answer = await ann_browser.apost(f"/executions/{execution.pk}/cancel/", headers={"HX-Request": "true"})
    assert "my own pier" in text(answer)
    assert "cancelling" in text(answer)


async def test_an_update_of_a_deleted_job_is_ignored(ann_browser: Browser) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "running", "a pier that stays")
    page = await open_socket(ann_browser, "studio")
    gone = Change("00000000-0000-7000-8000-000000000000", None, False, "pending", "running")
    await publisher.publish([gone, change(execution)])
    assert "a pier that stays" in await receive_until(page, "a pier that stays")
    await page.disconnect()


def test_many_changes_are_split_into_frames(people: Any) -> None:
    rendering = renderer.Rendering([])
    keys = [("rows", str(number), "team") for number in range(950)]
    rendering._made = dict.fromkeys(keys, "x" * 5_000)
    frames = rendering.frames(keys)
    assert max(len(frame) for frame in frames) < 1024 * 1024
    assert sum(len(frame) for frame in frames) == 950 * 5_000
