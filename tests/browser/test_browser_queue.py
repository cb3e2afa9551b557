"""The queue: positions, pausing, editing, the pause of the whole queue, and the estimate of a batch."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.actions import is_same_document, job, mark_document, unique_prompt, wait_until_live
from tests.browser.conftest import PHONE, BrowserErrors, Opener
from tests.browser.site import Site

pytestmark = pytest.mark.browser

QUEUE_JOBS = """
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
MAKE_DUE = """
from django.utils import timezone
from executions.models import Execution
Execution.objects.filter(prompt={prompt!r}).update(next_attempt_at=timezone.now())
"""


def test_a_queued_job_is_paused_edited_resumed_and_sent(browse: Opener, site: Site) -> None:
    first, second, changed = (
        unique_prompt("a pier"),
        unique_prompt("a harbour"),
        unique_prompt("a lighthouse"),
    )
    site.manage(QUEUE_JOBS.format(prompts=[first, second]))
    studio = wait_until_live(browse("/", name="member"))
    expect(job(studio, first)).to_contain_text("next in the queue")
    expect(job(studio, second)).to_contain_text("2nd in the queue")
    mark_document(studio)

    page = wait_until_live(browse("/queue/", name="member"))
    page.locator(".queue-card", has_text=first).get_by_role("button", name="Pause").click()
    expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    expect(job(studio, first)).to_contain_text("paused")
    expect(job(studio, second)).to_contain_text("next in the queue")
    assert is_same_document(studio), "the position changes live on the open page"

    page.locator(".queue-card", has_text=first).get_by_role("link", name="Edit").click()
    expect(page.get_by_text("Paused. It will be sent when you resume it.")).to_be_visible()
    expect(page.get_by_label("Prompt")).to_have_value(first)
    page.get_by_label("Prompt").fill(changed)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", name=changed)).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text("edited by you: prompt")

    wait_until_live(page)
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".page-header")).to_contain_text("next in the queue")
    site.manage(MAKE_DUE.format(prompt=changed))
    expect(page.locator(".page-header .status-badge")).to_contain_text("succeeded")
    assert site.sandbox_jobs(first) == []
    assert len(site.sandbox_jobs(changed)) == 1

    page.goto("/queue/")
    page.locator(".queue-card", has_text=second).get_by_role("button", name="Cancel").click()
    expect(page.locator(".queue-card", has_text=second)).to_have_count(0)


def test_an_edit_that_is_too_late_is_reported_and_keeps_its_input(
    browse: Opener, site: Site, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 409")
    prompt, edited = unique_prompt("a pier"), unique_prompt("a tower")
    site.manage(QUEUE_JOBS.format(prompts=[prompt]))
    page = wait_until_live(browse("/queue/", name="member", viewport=PHONE))
    page.locator(".queue-card", has_text=prompt).get_by_role("link", name="Edit").click()
    page.get_by_label("Prompt").fill(edited)

    watching = wait_until_live(browse("/", name="admin"))
    site.manage(MAKE_DUE.format(prompt=prompt))
    expect(job(watching, prompt).filter(has_text="in the queue")).to_have_count(0)
    page.get_by_role("button", name="Save").click()

    expect(page.get_by_role("alert").filter(has_text="Not saved. Too late")).to_be_visible()
    expect(page.get_by_label("Prompt")).to_have_value(edited)
    assert site.sandbox_jobs(edited) == []
    page.get_by_role("button", name="Start this as a new job").click()
    expect(
        job(watching, edited).or_(watching.locator(".finished-job", has_text=edited)).first
    ).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_pause_of_the_whole_queue_is_shown_live(browse: Opener, site: Site) -> None:
    prompt = unique_prompt("a pier")
    site.manage(QUEUE_JOBS.format(prompts=[prompt]))
    studio = wait_until_live(browse("/", name="member"))
    page = wait_until_live(browse("/queue/", name="admin"))
    try:
        page.get_by_role("button", name="Pause queue").click()
        expect(page.get_by_text("Nothing is sent to VideoGen.")).to_be_visible()
        expect(job(studio, prompt)).to_contain_text("The whole queue is paused by admin")
        site.manage(MAKE_DUE.format(prompt=prompt))
    finally:
        page.goto("/queue/")
        page.get_by_role("button", name="Resume queue").click()
    expect(page.get_by_role("button", name="Pause queue")).to_be_visible()
    expect(studio.locator(".finished-job", has_text=prompt)).to_be_visible()


def test_a_batch_shows_when_it_will_be_submitted(browse: Opener) -> None:
    prompt = unique_prompt("a pier")
    page = browse("/batches/new/", name="member")
    page.get_by_label("One prompt per line").fill("\n".join(f"{prompt} {number}" for number in range(1, 13)))
    page.locator("#start").click()
    estimate = page.locator(".batch-estimate")
    expect(estimate).to_contain_text(
        re.compile(r"All 12\s+will be submitted by\s+.*\d\d:\d\d\.\s+Single jobs have priority")
    )

    page.get_by_role("button", name="Start 12 jobs").click()

    wait_until_live(page)
    expect(estimate).to_contain_text("All 12 will be submitted by")
    page.get_by_role("button", name="Undo").click()
    expect(estimate).to_have_count(0)


def test_the_deliveries_page_updates_live(browse: Opener, site: Site) -> None:
    prompt, later = unique_prompt("a pier"), unique_prompt("a tower")
    site.start(prompt)
    studio = wait_until_live(browse("/", name="member"))
    expect(studio.locator(".finished-job", has_text=prompt)).to_be_visible()
    page = browse("/settings/deliveries/", name="admin")
    row = page.locator("#delivery-rows tr", has_text=prompt)
    expect(row.first).to_be_visible()
    row.first.get_by_role("checkbox").check()
    mark_document(page)

    site.start(later)

    expect(page.locator("#delivery-rows tr", has_text=later).first).to_be_visible()
    expect(row.first.get_by_role("checkbox")).to_be_checked()
    assert is_same_document(page)
