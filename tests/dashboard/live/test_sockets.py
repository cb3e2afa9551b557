"""Who may open a socket, what closes it, and that closed pages are removed."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.contrib.sessions.models import Session
from django.utils import timezone

from dashboard.live.consumers import REFUSED, SIGNED_OUT
from dashboard.live.fanout import fanout
from executions.core import runtime
from tests.dashboard.browsers import Browser, signed_in
from tests.dashboard.sockets import open_socket, refusal_code, socket
from tests.factories.jobs import job
from tests.waiting import DEADLINE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("topic", ["studio", "history", "rows"])
async def test_signed_in_people_can_connect(topic: str, ann_browser: Browser) -> None:
    page = await open_socket(ann_browser, topic)
    await page.disconnect()


async def test_connecting_requires_a_session() -> None:
    assert await refusal_code(socket(None, "studio")) == REFUSED


@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"",
        b"null",
        b"http://evil.example",
        b"http://testserver.evil.example",
        b"http://testserver:8001",
        b"http://evil.example/http://testserver",
        b"testserver",
    ],
)
async def test_only_our_origin_can_connect(origin: bytes | None, ann_browser: Browser) -> None:
    assert await refusal_code(socket(ann_browser, "studio", origin)) == REFUSED


async def test_pages_of_the_public_address_can_connect(ann_browser: Browser, settings: Any) -> None:
    settings.PUBLIC_URL = "https://rushes.example.org"
    page = socket(ann_browser, "studio", b"https://rushes.example.org")
    assert (await page.connect())[0]
    await page.disconnect()


@pytest.mark.parametrize(
    "topic",
    ["", "everything", "STUDIO", "job:", "job:x", "job", "studio:x", "person.1", "live", "%00", "%ff"],
)
async def test_unknown_topics_are_rejected(topic: str, ann_browser: Browser) -> None:
    assert await refusal_code(socket(ann_browser, topic)) == REFUSED


async def test_an_unknown_job_has_no_topic(ann_browser: Browser) -> None:
    assert await refusal_code(socket(ann_browser, f"job:{uuid.uuid4()}")) == REFUSED


async def test_any_spelling_of_a_job_id_is_accepted(ann_browser: Browser) -> None:
    execution = await runtime.in_db(job, ann_browser.user, "running", "a pier")
    page = await open_socket(ann_browser, f"job:{str(execution.pk).upper()}")
    await page.disconnect()


async def test_an_expired_session_cannot_connect(ann_browser: Browser) -> None:
    def expire() -> None:
        Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))

    await runtime.in_db(expire)
    assert await refusal_code(socket(ann_browser, "studio")) == REFUSED


async def test_a_person_deactivated_a_second_ago_is_rejected(
    ann_browser: Browser, django_user_model: Any
) -> None:
    def deactivate() -> None:
        django_user_model.objects.filter(pk=ann_browser.user.pk).update(is_active=False)

    await runtime.in_db(deactivate)
    assert await refusal_code(socket(ann_browser, "studio")) == REFUSED


async def test_signing_out_closes_only_the_sockets_of_that_session(
    ann_browser: Browser, ben_browser: Browser
) -> None:
    other_session = await runtime.in_db(signed_in, ann_browser.user)
    pages = [await open_socket(ann_browser, "studio"), await open_socket(ann_browser, "history")]
    others = [await open_socket(other_session, "studio"), await open_socket(ben_browser, "studio")]
    assert (await ann_browser.apost("/sign-out/")).status_code == 303
    for page in pages:
        output = await page.receive_output(DEADLINE)
        assert (output["type"], output["code"]) == ("websocket.close", SIGNED_OUT)
    for page in others:
        assert await page.receive_nothing(0.2)  # nothing arrives
        await page.disconnect()
    for page in pages:
        await page.disconnect()


async def test_a_closed_page_is_removed(ann_browser: Browser) -> None:
    page = await open_socket(ann_browser, "studio")
    assert len(fanout()._pages) == 1
    await page.disconnect()
    assert len(fanout()._pages) == 0
    await get_channel_layer().group_send("live", {"type": "live.changes", "changes": []})


async def test_messages_from_pages_are_ignored(ann_browser: Browser) -> None:
    page = await open_socket(ann_browser, "studio")
    await page.send_to(text_data='{"HEADERS": {}, "type": "live.changes"}')
    await page.send_to(bytes_data=b"\x00\xff")
    assert await page.receive_nothing(0.1)  # nothing arrives
    await page.disconnect()
