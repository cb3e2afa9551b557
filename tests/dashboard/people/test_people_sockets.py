"""Deactivation and role changes take effect on open pages at once."""

from __future__ import annotations

import pytest

from dashboard.live.consumers import SIGNED_OUT
from dashboard.live.fanout import fanout
from executions.core import runtime
from executions.lifecycle import observations, status_machine
from executions.team import settings as team_settings
from tests.dashboard.browsers import Browser, signed_in
from tests.dashboard.sockets import open_socket, receive_until
from tests.factories.jobs import advance, job
from tests.waiting import DEADLINE, until

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/settings/people/"


async def test_deactivation_closes_all_sockets_of_that_person_only(
    ada_browser: Browser, ann_browser: Browser, ben_browser: Browser
) -> None:
    other_session = await runtime.in_db(signed_in, ann_browser.user)
    pages = [await open_socket(ann_browser, "studio"), await open_socket(other_session, "history")]
    other = await open_socket(ben_browser, "studio")
    assert (await ada_browser.apost(f"{URL}{ann_browser.user.pk}/shut-out/")).status_code == 303
    for page in pages:
        ended = await page.receive_output(DEADLINE)
        assert (ended["type"], ended["code"]) == ("websocket.close", SIGNED_OUT)
        await page.disconnect()
    assert await other.receive_nothing(0.2)  # shows that nothing is sent
    await other.disconnect()


async def test_an_open_page_of_a_former_admin_shows_what_a_member_sees(
    ada_browser: Browser, ann_browser: Browser, ben_browser: Browser
) -> None:
    made = await runtime.in_db(job, ben_browser.user, "pending", "a pier")
    await ada_browser.apost(f"{URL}{ann_browser.user.pk}/role/", {"role": "admin"})
    page = await open_socket(ann_browser, f"job:{made.pk}")
    await runtime.in_db(advance, made, "running")
    assert f"/executions/{made.pk}/cancel/" in await receive_until(page, "a pier")
    await ada_browser.apost(f"{URL}{ann_browser.user.pk}/role/", {"role": "member"})
    await until(lambda: not any(each.scope["user"].is_staff for each in fanout()._pages))
    running = observations.StatusReported(
        source=observations.Source.POLL, status="running", progress=60.0, attempt=0
    )
    await runtime.in_db(status_machine.apply, made.pk, running)
    assert "/cancel/" not in await receive_until(page, 'value="60')
    await page.disconnect()


async def test_a_live_page_offers_to_cancel_if_the_setting_is_on(
    ada_browser: Browser, ann_browser: Browser, ben_browser: Browser
) -> None:
    made = await runtime.in_db(job, ann_browser.user, "pending", "a pier")
    page = await open_socket(ben_browser, f"job:{made.pk}")
    await runtime.in_db(advance, made, "running")
    assert "/cancel/" not in await receive_until(page, "a pier")
    await ada_browser.apost(f"{URL}choices/", {"team_cancels": "on"})
    assert team_settings._cached is None
    running = observations.StatusReported(
        source=observations.Source.POLL, status="running", progress=60.0, attempt=0
    )
    await runtime.in_db(status_machine.apply, made.pk, running)
    assert f"/executions/{made.pk}/cancel/" in await receive_until(page, 'value="60')
    await page.disconnect()
