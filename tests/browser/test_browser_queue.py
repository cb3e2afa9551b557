"""What waits, in a real browser: its place, a pause, an edit, the front; the pause of everything; the promise of a batch."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.acts import job, live, stayed, stays, words
from tests.browser.conftest import PHONE, Complaints, Opener
from tests.browser.site import Site

pytestmark = pytest.mark.browser

WAITING = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.utils import timezone
from executions import tools
from executions.lifecycle import create
user = get_user_model().objects.get(username="member")
for place, prompt in enumerate({prompts!r}):
    create.start(
        tool=tools.find("generate-image"),
        body=tools.already_validated({{"prompt": prompt, "numResults": 1}}),
        actor=user,
        not_before=timezone.now() + timedelta(hours=1, seconds=place),
    )
"""
DUE = """
from django.utils import timezone
from executions.models import Execution
Execution.objects.filter(prompt={prompt!r}).update(next_attempt_at=timezone.now())
"""


def test_a_waiting_job_is_paused_edited_resumed_and_sent_as_it_is_now(browse: Opener, site: Site) -> None:
    first, second, changed = words("a pier"), words("a harbour"), words("a lighthouse")
    site.manage(WAITING.format(prompts=[first, second]))
    studio = live(browse("/", name="member"))
    expect(job(studio, first)).to_contain_text("next in the queue")
    expect(job(studio, second)).to_contain_text("2nd in the queue")
    stays(studio)

    page = live(browse("/queue/", name="member"))
    page.locator(".queue-card", has_text=first).get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    expect(job(studio, first)).to_contain_text("paused")
    expect(job(studio, second)).to_contain_text("next in the queue")
    assert stayed(studio), "it moves up live, on the page that is open"

    page.locator(".queue-card", has_text=first).get_by_role("link", name="Edit").click()
    expect(page.get_by_text("It is paused, and is sent when it is resumed.")).to_be_visible()
    expect(page.get_by_label("Prompt")).to_have_value(first)
    page.get_by_label("Prompt").fill(changed)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=changed)).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("you changed what is asked for: prompt")

    live(page)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".page-header")).to_contain_text("next in the queue")
    site.manage(DUE.format(prompt=changed))
    expect(page.locator(".page-header .status-badge")).to_contain_text("succeeded", timeout=30_000)
    assert site.truth(first) == []
    assert len(site.truth(changed)) == 1

    page.goto("/queue/")
    page.locator(".queue-card", has_text=second).get_by_role("button", name="Cancel").click()
    expect(page.locator(".queue-card", has_text=second)).to_have_count(0)


def test_an_edit_that_comes_too_late_is_said_and_what_was_typed_stays(
    browse: Opener, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 409")
    prompt, typed = words("a pier"), words("a tower")
    site.manage(WAITING.format(prompts=[prompt]))
    page = live(browse("/queue/", name="member", viewport=PHONE))
    page.locator(".queue-card", has_text=prompt).get_by_role("link", name="Edit").click()
    page.get_by_label("Prompt").fill(typed)

    watching = live(browse("/", name="admin"))
    site.manage(DUE.format(prompt=prompt))
    expect(job(watching, prompt).filter(has_text="in the queue")).to_have_count(0, timeout=30_000)
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert").filter(has_text="Nothing was changed. Too late")).to_be_visible()
    expect(page.get_by_label("Prompt")).to_have_value(typed)
    assert site.truth(typed) == []
    page.get_by_role("button", name="Start this as a new job").click()
    expect(job(watching, typed).or_(watching.locator(".finished-job", has_text=typed)).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_admin_pauses_everything_and_whoever_waits_sees_it_at_once(browse: Opener, site: Site) -> None:
    prompt = words("a pier")
    site.manage(WAITING.format(prompts=[prompt]))
    studio = live(browse("/", name="member"))
    page = live(browse("/queue/", name="admin"))
    try:
        page.get_by_role("button", name="Pause the whole queue").click()
        expect(page.get_by_text("Nothing is sent to VideoGen.")).to_be_visible()
        expect(job(studio, prompt)).to_contain_text("The whole queue is paused by admin")
        site.manage(DUE.format(prompt=prompt))
    finally:
        page.goto("/queue/")
        page.get_by_role("button", name="Resume the whole queue").click()
    expect(page.get_by_role("button", name="Pause the whole queue")).to_be_visible()
    expect(studio.locator(".finished-job", has_text=prompt)).to_be_visible(timeout=30_000)


def test_a_batch_promises_by_when_it_is_sent(browse: Opener) -> None:
    prompt = words("a pier")
    page = browse("/batches/new/", name="member")
    page.get_by_label("One prompt a line").fill("\n".join(f"{prompt} {number}" for number in range(1, 13)))
    page.locator("#start").click()
    promised = page.locator(".batch-estimate")
    expect(promised).to_contain_text(
        re.compile(r"All 12\s+will be sent by\s+.*\d\d:\d\d;\s+a single job goes first")
    )

    page.get_by_role("button", name="Start 12 jobs").click()

    live(page)
    expect(promised).to_contain_text("All 12 will be sent by")
    page.get_by_role("button", name="Undo").click()
    expect(promised).to_have_count(0)


def test_deliveries_are_followed_while_their_page_is_open(browse: Opener, site: Site) -> None:
    prompt, later = words("a pier"), words("a tower")
    site.start(prompt)
    studio = live(browse("/", name="member"))
    expect(studio.locator(".finished-job", has_text=prompt)).to_be_visible(timeout=30_000)
    page = browse("/settings/deliveries/", name="admin")
    row = page.locator("#delivery-rows tr", has_text=prompt)
    expect(row.first).to_be_visible(timeout=15_000)
    row.first.get_by_role("checkbox").check()
    stays(page)

    site.start(later)

    expect(page.locator("#delivery-rows tr", has_text=later).first).to_be_visible(timeout=30_000)
    expect(row.first.get_by_role("checkbox")).to_be_checked()
    assert stayed(page)
