"""The history: the newest first, live on its first page, filtered by address, paged without gaps."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser import acts
from tests.browser.conftest import Opener
from tests.browser.site import Site, order
from tests.conftest import SandboxProcess

# 60 jobs of long ago: ids begin with the time at which they were made.
LONG_AGO = """
from datetime import UTC, datetime, timedelta
from uuid import UUID
from executions.models import Execution
began = datetime(2025, 3, 1, tzinfo=UTC)
Execution.objects.bulk_create(
    Execution(
        id=UUID(int=(int((began + timedelta(minutes=number)).timestamp() * 1000) << 80) | (7 << 76) | (2 << 62)),
        tool="generate-image" if number % 2 else "text-to-speech",
        prompt=f"Long ago, number {number:02}",
        status="failed", error={"message": "Too long ago."}, next_attempt_at=None,
        created_at=began + timedelta(minutes=number), ended_at=began + timedelta(minutes=number, seconds=9),
    )
    for number in range(60)
)
"""


@pytest.fixture(scope="module")
def long_ago(site: Site) -> None:
    site.manage(LONG_AGO)


def prompts(page: Page) -> list[str]:
    return [text.strip() for text in page.locator("#rows .table-title").all_inner_texts()]


def filtered(page: Page, name: str, value: str) -> None:
    """Open a filter, ask for one value, and show what it lets through."""
    menu = page.locator("details.history-menu", has=page.locator("summary", has_text=name)).first
    menu.locator("summary").click()
    menu.get_by_role("checkbox", name=value, exact=True).check()
    menu.get_by_role("button", name="Show").click()


def test_the_newest_stands_first_and_moves(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    order(sandbox, {"kind": "job", "seconds": 3})
    [older] = site.start(acts.words())
    page = acts.live(browse("/executions/"))
    acts.stays(page)
    expect(page.locator("#rows tr").first).to_contain_text(older)
    [newer] = site.start(acts.words(), name="admin")
    # What one is reading does not move: the new one is told of, and comes when it is asked for.
    pill = page.get_by_role("link", name="1 new at the top")
    expect(pill).to_be_visible()
    expect(page.locator("#rows tr").first).to_contain_text(older)
    assert acts.stayed(page)
    pill.click()
    acts.live(page)
    acts.stays(page)
    first = page.locator("#rows tr").first
    expect(first).to_contain_text(newer)
    expect(first).to_contain_text("you")
    for status in ("running", "succeeded"):
        expect(acts.row(page, newer)).to_have_attribute("data-status", status)
    acts.picture_size(acts.row(page, newer).locator("img"))
    assert prompts(page)[:2] == [newer, older]
    expect(acts.row(page, older)).to_contain_text("member")
    assert acts.stayed(page)
    acts.row(page, newer).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(newer)


def test_filters_say_what_they_let_through(
    browse: Opener, site: Site, sandbox: SandboxProcess, long_ago: None
) -> None:
    order(sandbox, {"kind": "job", "fail": "moderation_refused", "count": 1})
    [failed] = site.start(acts.words())
    page = acts.live(browse("/executions/"))
    expect(acts.row(page, failed)).to_have_attribute("data-status", "failed")
    [speech] = site.start(acts.words("Spoken words"), tool="text-to-speech")
    page.get_by_role("link", name="1 new at the top").click()
    expect(acts.row(page, speech)).to_have_attribute("data-status", "succeeded")

    filtered(page, "Status", "failed")
    expect(page).to_have_url(f"{site.url}/executions/?status=failed")
    expect(acts.row(page, failed)).to_be_visible()
    expect(acts.row(page, speech)).to_have_count(0)
    expect(page.locator("#rows tr:not([data-status=failed])")).to_have_count(0)

    filtered(page, "Tool", "Speech")
    expect(page).to_have_url(f"{site.url}/executions/?status=failed&tool=text-to-speech")
    expect(acts.row(page, failed)).to_have_count(0)
    expect(page.get_by_role("link", name="Long ago, number 58", exact=True)).to_be_visible()
    page.go_back()
    expect(page).to_have_url(f"{site.url}/executions/?status=failed")
    expect(page.locator("summary", has_text="Status")).to_contain_text("failed")
    expect(acts.row(page, failed)).to_be_visible()
    page.get_by_role("link", name="Clear").click()
    expect(acts.row(page, speech)).to_be_visible()

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
    mark = acts.words("quay").split()[-1]
    order(sandbox, {"kind": "job", "seconds": 3, "count": 1})
    # The list shows where in a long prompt it stands.
    site.start(f"first {'far out on the water ' * 12}{mark}")
    page = acts.live(browse(f"/executions/?q={mark}"))
    acts.stays(page)
    expect(page.locator("#rows mark")).to_have_text(mark)
    expect(page.locator("#rows tr")).to_have_attribute("data-status", "succeeded")
    # The row that came says nothing of what is searched for here.
    expect(page.locator("#rows mark")).to_have_text(mark)
    assert acts.stayed(page)
    site.start(acts.words("something else"))
    site.start(f"second {mark}")
    page.get_by_role("link", name="1 new at the top").click()
    expect(page.locator("#rows tr")).to_have_count(2)


def test_what_is_asked_for_again_and_is_the_same_stays_where_it_is(browse: Opener, long_ago: None) -> None:
    """Whoever is about to click must not lose what is under the finger."""
    page = acts.live(browse("/executions/?status=failed&q=long+ago"))
    page.wait_for_load_state("networkidle")
    page.evaluate("document.querySelector('#rows tr').isTheFirst = true")
    with page.expect_response(lambda answer: "/executions/?" in answer.url):
        page.evaluate("htmx.trigger(document.body, 'rushes:ask')")
    page.wait_for_load_state("networkidle")
    assert page.evaluate("document.querySelector('#rows tr').isTheFirst") is True


def test_a_view_is_saved_and_another_person_opens_it(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    [prompt] = site.start(acts.words())
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


def test_with_the_keyboard_alone_jobs_are_chosen_and_cancelled(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    order(sandbox, {"kind": "job", "seconds": 120})
    mark = acts.words().split()[-1]
    prompts_made = site.start(*(f"{mark} number {number}" for number in range(3)), name="admin")
    page = acts.live(browse(f"/executions/?q={mark}"))
    for prompt in prompts_made:
        expect(acts.row(page, prompt)).to_be_visible()
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
    page.get_by_role("link", name=prompts_made[2]).click()
    expect(page.locator("[data-cancel]")).to_contain_text("asked by admin")
    expect(page.locator("[data-cancel]")).to_contain_text("started twice")
    expect(page.locator("[data-cancel]")).to_contain_text("stopped after")
    page.goto(f"/executions/?q={mark}")
    expect(acts.row(page, prompts_made[0])).not_to_have_attribute("data-status", "cancelled")
    # The one that was left alone would keep the sandbox busy.
    acts.row(page, prompts_made[0]).get_by_role("link").click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-cancel]")).to_contain_text("stopped after")


def test_a_ticked_box_outlives_what_happens_to_its_job(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    order(sandbox, {"kind": "job", "seconds": 3})
    [prompt] = site.start(acts.words())
    page = acts.live(browse("/executions/"))
    box = acts.row(page, prompt).get_by_role("checkbox")
    box.check()
    expect(acts.row(page, prompt)).to_have_attribute("data-status", "succeeded")
    expect(box).to_be_checked()
