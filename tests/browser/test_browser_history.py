"""The history: newest first, live on its first page, filtered by URL, paged without gaps."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser import actions
from tests.browser.conftest import Opener
from tests.browser.site import Site, hold_jobs, release_jobs, set_faults
from tests.conftest import SandboxProcess

CREATE_OLD_JOBS = """
from tests.factories.past_jobs import past_job, write
failed = {"status": "failed", "error": {"message": "Too long ago."}}
write(*(
    past_job(
        number, prompt=f"Long ago, number {number:02}", tool="generate-image" if number % 2 else "text-to-speech", **failed
    )
    for number in range(60)
))
"""


@pytest.fixture(scope="module")
def long_ago(site: Site) -> None:
    site.manage(CREATE_OLD_JOBS)


def prompts(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("#rows .table-title").all_inner_texts()]


def apply_filter(page: Page, name: str, value: str) -> None:
    """Open a filter menu, select one value, and apply it."""
    menu = page.locator("details.history-menu", has=page.locator("summary", has_text=name)).first
    menu.locator("summary").click()
    menu.get_by_role("checkbox", name=value, exact=True).check()
    menu.get_by_role("button", name="Show").click()


def test_the_newest_job_is_first_and_updates_live(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    [older] = site.start(actions.unique_prompt())
    page = actions.wait_until_live(browse("/executions/"))
    actions.mark_document(page)
    expect(page.locator("#rows tr").first).to_contain_text(older)
    hold_jobs(sandbox)
    [newer] = site.start(actions.unique_prompt(), name="admin")
    # The rows do not move: the new job is announced, and appears on request.
    pill = page.get_by_role("link", name="1 new at the top")
    expect(pill).to_be_visible()
    expect(page.locator("#rows tr").first).to_contain_text(older)
    assert actions.is_same_document(page)
    pill.click()
    actions.wait_until_live(page)
    actions.mark_document(page)
    first = page.locator("#rows tr").first
    expect(first).to_contain_text(newer)
    expect(first).to_contain_text("you")
    expect(actions.row(page, newer)).to_have_attribute("data-status", "running")
    release_jobs(sandbox)
    expect(actions.row(page, newer)).to_have_attribute("data-status", "succeeded")
    actions.picture_size(actions.row(page, newer).locator("img"))
    assert prompts(page)[:2] == [newer, older]
    expect(actions.row(page, older)).to_contain_text("member")
    assert actions.is_same_document(page)
    actions.row(page, newer).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(newer)


def test_filters_show_their_values_and_matching_jobs(
    browse: Opener, site: Site, sandbox: SandboxProcess, long_ago: None
) -> None:
    set_faults(sandbox, {"kind": "job", "fail": "moderation_refused", "count": 1})
    [failed] = site.start(actions.unique_prompt())
    page = actions.wait_until_live(browse("/executions/"))
    expect(actions.row(page, failed)).to_have_attribute("data-status", "failed")
    [speech] = site.start(actions.unique_prompt("Spoken words"), tool="text-to-speech")
    page.get_by_role("link", name="1 new at the top").click()
    expect(actions.row(page, speech)).to_have_attribute("data-status", "succeeded")

    apply_filter(page, "Status", "failed")
    expect(page).to_have_url(f"{site.url}/executions/?status=failed")
    expect(actions.row(page, failed)).to_be_visible()
    expect(actions.row(page, speech)).to_have_count(0)
    expect(page.locator("#rows tr:not([data-status=failed])")).to_have_count(0)

    apply_filter(page, "Tool", "Speech")
    expect(page).to_have_url(f"{site.url}/executions/?status=failed&tool=text-to-speech")
    expect(actions.row(page, failed)).to_have_count(0)
    expect(page.get_by_role("link", name="Long ago, number 58", exact=True)).to_be_visible()
    page.go_back()
    expect(page).to_have_url(f"{site.url}/executions/?status=failed")
    expect(page.locator("summary", has_text="Status")).to_contain_text("failed")
    expect(actions.row(page, failed)).to_be_visible()
    page.get_by_role("link", name="Clear").click()
    expect(actions.row(page, speech)).to_be_visible()

    page.goto("/executions/?status=cancelled&tool=generate-sound-effect")
    expect(page.get_by_text("No matches.")).to_be_visible()


def test_pages_follow_each_other_without_gaps(browse: Opener, site: Site, long_ago: None) -> None:
    page = browse("/executions/?status=failed")
    expect(page.get_by_role("link", name="Newer")).to_have_count(0)
    first = prompts(page)
    assert len(first) == 50
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name="Newer")).to_be_visible()
    second = prompts(page)
    expect(page.get_by_role("link", name="Older")).to_have_count(0)
    ages = [prompt for prompt in first + second if prompt.startswith("Long ago")]
    assert ages == [f"Long ago, number {number:02}" for number in reversed(range(60))]
    page.get_by_role("link", name="Newer").click()
    expect(page.get_by_role("link", name="Older")).to_be_visible()
    assert prompts(page) == first


def test_new_jobs_count_only_if_they_match(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    mark = actions.unique_prompt("quay").split()[-1]
    hold_jobs(sandbox)
    # The match is at the end of a long prompt, and the list must show it.
    site.start(f"first {'far out on the water ' * 12}{mark}")
    page = actions.wait_until_live(browse(f"/executions/?q={mark}"))
    actions.mark_document(page)
    expect(page.locator("#rows mark")).to_have_text(mark)
    release_jobs(sandbox)
    expect(page.locator("#rows tr")).to_have_attribute("data-status", "succeeded")
    # The updated row is the same for every page, and yet the match is highlighted here.
    expect(page.locator("#rows mark")).to_have_text(mark)
    assert actions.is_same_document(page)
    site.start(actions.unique_prompt("something else"))
    site.start(f"second {mark}")
    page.get_by_role("link", name="1 new at the top").click()
    expect(page.locator("#rows tr")).to_have_count(2)


def test_unchanged_rows_are_not_replaced_by_a_refresh(browse: Opener, long_ago: None) -> None:
    """A click must not be lost because its row is replaced at that moment."""
    page = actions.wait_until_live(browse("/executions/?status=failed&q=long+ago"))
    page.wait_for_load_state("networkidle")
    page.evaluate("document.querySelector('#rows tr').isOriginal = true")
    with page.expect_response(lambda answer: "/executions/?" in answer.url):
        page.evaluate("htmx.trigger(document.body, 'rushes:refetch')")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.querySelector('#rows tr').isOriginal") is True


def test_a_saved_view_can_be_opened_by_another_person(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    [prompt] = site.start(actions.unique_prompt())
    mark = prompt.split()[-1]
    page = browse(f"/executions/?q={mark}&view=gallery")
    page.get_by_role("button", name="Save this view").click()
    page.get_by_label("Name, for the whole team").fill(f"Seen {mark}")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(f"Saved as “Seen {mark}”")).to_be_visible()
    other = browse("/executions/", name="member")
    other.get_by_role("link", name=f"Seen {mark}").click()
    expect(other).to_have_url(f"{site.url}/executions/?q={mark}&view=gallery")
    expect(other.locator(".job-tile")).to_have_count(1)
    expect(other.get_by_role("button", name="Remove the saved view")).to_have_count(0)
    page.get_by_role("button", name="Remove the saved view").click()
    expect(page.get_by_text("was removed. Its jobs were not.")).to_be_visible()


def test_jobs_can_be_selected_and_cancelled_by_keyboard(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    hold_jobs(sandbox)
    mark = actions.unique_prompt().split()[-1]
    started = site.start(*(f"{mark} number {number}" for number in range(3)), name="admin")
    page = actions.wait_until_live(browse(f"/executions/?q={mark}"))
    for prompt in started:
        expect(actions.row(page, prompt)).to_be_visible()
    press = page.keyboard.press
    press("?")
    expect(page.get_by_role("heading", name="Keyboard shortcuts")).to_be_visible()
    press("Escape")
    press("j")
    press("x")
    press("j")
    press("k")
    press("j")
    press("j")
    press("Shift+X")
    expect(page.get_by_role("status").filter(has_text="3 selected")).to_be_visible()
    press("x")
    expect(page.get_by_role("status").filter(has_text="2 selected")).to_be_visible()
    page.get_by_role("button", name="Cancel…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 2 jobs?")
    page.get_by_label("Reason").fill("started twice")
    page.get_by_role("button", name="Cancel 2 jobs").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancellation report")
    expect(page.locator(".history-chosen-jobs li")).to_have_count(2)
    page.get_by_role("link", name=started[2]).click()
    expect(page.locator("[data-cancel]")).to_contain_text("requested by admin")
    expect(page.locator("[data-cancel]")).to_contain_text("started twice")
    expect(page.locator("[data-cancel]")).to_contain_text("stopped after")
    page.goto(f"/executions/?q={mark}")
    expect(actions.row(page, started[0])).not_to_have_attribute("data-status", "cancelled")
    # The remaining job would keep the sandbox busy.
    actions.row(page, started[0]).get_by_role("link").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-cancel]")).to_contain_text("stopped after")


def test_a_selected_job_stays_selected_when_it_changes(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    hold_jobs(sandbox)
    [prompt] = site.start(actions.unique_prompt())
    page = actions.wait_until_live(browse("/executions/"))
    box = actions.row(page, prompt).get_by_role("checkbox")
    box.check()
    release_jobs(sandbox)
    expect(actions.row(page, prompt)).to_have_attribute("data-status", "succeeded")
    expect(box).to_be_checked()
