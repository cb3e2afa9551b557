"""The studio: start, watch and cancel jobs, alone and while another person watches."""

from __future__ import annotations

from playwright.sync_api import Page, Request, expect

from tests.browser import actions
from tests.browser.conftest import BrowserErrors, Opener
from tests.browser.site import CANCELS, STARTS, Site, hold_jobs, release_jobs, set_faults
from tests.conftest import SandboxProcess
from tests.waiting import eventually


def test_a_job_updates_live_for_two_people(browse: Opener, sandbox: SandboxProcess) -> None:
    """The card appears without a page load, updates live, and ends with the image; also for a colleague."""
    hold_jobs(sandbox, {"kind": "slow", "match": STARTS, "seconds": 0.7})
    mine, theirs = actions.wait_until_live(browse("/")), actions.wait_until_live(browse("/", name="member"))
    for page in (mine, theirs):
        actions.mark_document(page)
        page.evaluate(actions.RECORDER)
    prompt = actions.unique_prompt()

    actions.start(mine, prompt, shape="9:16", takes=2)

    expect(actions.job(mine, prompt)).to_be_visible()
    expect(mine.locator(".tool-form-started")).to_contain_text("Started.")
    for page in (mine, theirs):
        eventually(lambda page=page: len(actions.progress(page, prompt)) > 1)
    release_jobs(sandbox)
    for page, who in ((mine, "you"), (theirs, "admin")):
        tile = actions.wait_until_finished(page, prompt)
        assert actions.statuses(page, prompt) == ["queued", "pending", "running", "succeeded"]
        progress = actions.progress(page, prompt)
        assert progress == sorted(progress)
        width, height = actions.picture_size(tile.locator("img"))
        assert (width < height, round(height / width, 1)) == (True, round(16 / 9, 1))
        expect(tile).to_contain_text("2 takes")
        expect(tile).to_contain_text(who)
        assert actions.is_same_document(page)


def test_speech_can_be_played(browse: Opener, site: Site) -> None:
    page = actions.wait_until_live(browse("/"))
    actions.mark_document(page)
    page.get_by_role("link", name="Audio").click()
    expect(page).to_have_url(f"{site.url}/tools/text-to-speech/")
    text = actions.unique_prompt("The rushes of today are on the table.")
    page.get_by_label("Script").fill(text)
    page.locator("#start").click()
    player = actions.wait_until_finished(page, text).locator("audio")
    expect(player).to_be_visible()
    assert 1 < actions.play(player) < 60
    assert actions.is_same_document(page)


def test_no_page_polls_while_its_socket_is_open(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    """Neither the studio, nor the history, nor a job's page, even while the job runs."""
    hold_jobs(sandbox)
    [prompt] = site.start(actions.unique_prompt(), name="admin")
    studio = actions.wait_until_live(browse("/"))
    expect(actions.job(studio, prompt)).to_have_attribute("data-status", "running")
    # Just after its socket opened, the history polls once for what happened before.
    with studio.context.expect_event("response", lambda answer: "/executions/fresh/" in answer.url):
        history = actions.wait_until_live(_tab(studio, "/executions/"))
    for page in (studio, history, actions.wait_until_live(_tab(studio, _address(studio, prompt)))):
        page.wait_for_load_state("networkidle")
    requests: list[str] = []

    def record(request: Request) -> None:
        if not request.url.endswith("/since/seen/"):  # once, when a person has seen what finished before
            requests.append(request.url)

    studio.context.on("request", record)
    studio.wait_for_timeout(5000)  # longer than the 4 s after which pages without a socket poll
    assert requests == []
    actions.job(studio, prompt).get_by_role("button", name="Cancel").click()
    actions.wait_until_finished(studio, prompt, "cancelled")
    assert len(requests) == 1


def _tab(beside: Page, path: str) -> Page:
    page = beside.context.new_page()
    page.goto(path)
    return page


def _address(page: Page, prompt: str) -> str:
    return actions.job(page, prompt).get_by_role("link", name=prompt, exact=True).get_attribute("href") or ""


def test_a_cancel_request_is_shown_before_videogen_receives_it(
    browse: Opener, sandbox: SandboxProcess
) -> None:
    set_faults(sandbox, {"kind": "job", "seconds": 1000}, {"kind": "lost_before", "match": CANCELS})
    mine, theirs = actions.wait_until_live(browse("/")), actions.wait_until_live(browse("/", name="member"))
    prompt = actions.unique_prompt()
    actions.start(mine, prompt)
    expect(actions.job(theirs, prompt)).to_have_attribute("data-status", "running")
    expect(actions.job(theirs, prompt).get_by_role("button", name="Cancel")).to_have_count(0)

    actions.job(mine, prompt).get_by_role("button", name="Cancel").click()
    for page in (mine, theirs):
        expect(actions.job(page, prompt)).to_contain_text("cancelling")
    expect(actions.job(mine, prompt).get_by_role("button", name="Cancel")).to_have_count(0)
    set_faults(sandbox)  # the next attempt reaches VideoGen
    for page in (mine, theirs):
        expect(actions.wait_until_finished(page, prompt, "cancelled")).to_contain_text(
            "Cancelled before it finished."
        )


def test_a_cancel_request_that_is_too_late_is_reported(browse: Opener, sandbox: SandboxProcess) -> None:
    set_faults(sandbox, {"kind": "job", "ignore_cancel": True, "hold": True})
    page = actions.wait_until_live(browse("/"))
    prompt = actions.unique_prompt()
    actions.start(page, prompt)
    actions.job(page, prompt).get_by_role("button", name="Cancel").click()
    expect(actions.job(page, prompt)).to_contain_text("cancelling")
    release_jobs(sandbox)
    actions.wait_until_finished(page, prompt).get_by_role("link", name=prompt, exact=True).click()
    expect(page.locator("[data-cancel]")).to_contain_text("the result is available")


def test_a_queued_job_that_is_cancelled_is_never_sent(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    set_faults(sandbox, {"kind": "rate_limited", "match": STARTS, "seconds": 3})
    page = actions.wait_until_live(browse("/"))
    prompt = actions.unique_prompt()
    actions.start(page, prompt)
    waiting = actions.job(page, prompt)
    expect(waiting).to_have_attribute("data-status", "queued")
    expect(waiting).to_contain_text("next attempt")
    waiting.get_by_role("button", name="Cancel").click()
    actions.wait_until_finished(page, prompt, "cancelled")
    assert site.sandbox_jobs(prompt) == []


def test_a_double_click_starts_one_job(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    """Also with an additional Ctrl+Enter, and with a slow response."""
    set_faults(sandbox, {"kind": "slow", "match": STARTS, "seconds": 0.5, "count": 1})
    page = actions.wait_until_live(browse("/"))
    prompt = actions.unique_prompt()
    page.get_by_label("Prompt").fill(prompt)
    page.locator("#start").evaluate("(button) => { button.click(); button.click() }")
    page.get_by_label("Prompt").press("Control+Enter")
    expect(page.locator(".tool-form-started")).to_be_visible()
    actions.wait_until_finished(page, prompt)
    expect(actions.finished_job(page, prompt)).to_have_count(1)
    assert len(site.sandbox_jobs(prompt)) == 1


def test_a_start_during_another_start_is_sent_next(
    browse: Opener, site: Site, sandbox: SandboxProcess, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 422")
    set_faults(sandbox, {"kind": "slow", "match": STARTS, "seconds": 1.5, "count": 1})
    page = actions.wait_until_live(browse("/"))
    first, second, third = actions.unique_prompt(), actions.unique_prompt(), actions.unique_prompt()
    prompt = page.get_by_label("Prompt")
    prompt.fill(first)
    prompt.press("Control+Enter")
    expect(page.locator("#composer.htmx-request")).to_be_visible()
    prompt.fill(second)
    prompt.press("Control+Enter")
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")
    actions.wait_until_finished(page, first)
    actions.wait_until_finished(page, second)
    # Input that was not submitted stays in the form, and old errors disappear.
    prompt.fill("")
    prompt.press("Control+Enter")
    expect(prompt).to_have_attribute("aria-invalid", "true")
    set_faults(sandbox, {"kind": "slow", "match": STARTS, "seconds": 1.5, "count": 1})
    prompt.fill(third)
    prompt.press("Control+Enter")
    expect(page.locator("#composer.htmx-request")).to_be_visible()
    prompt.press_sequentially(", again")
    expect(page.locator("#composer:not(.htmx-request)")).to_be_visible()
    expect(prompt).to_have_value(f"{third}, again")
    expect(page.locator("#composer :is(.field-problem, .field-invalid, [aria-invalid])")).to_have_count(0)
    expect(prompt).to_be_focused()
    actions.wait_until_finished(page, third)
    assert [len(site.sandbox_jobs(text)) for text in (first, second, third)] == [1, 1, 1]


def test_a_refusal_is_shown_at_the_form_and_keeps_its_input(
    browse: Opener, site: Site, sandbox: SandboxProcess, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 422")
    body = {"message": "This prompt names a living person.", "code": "moderation_refused"}
    set_faults(sandbox, {"kind": "status", "match": STARTS, "status": 400, "body": body, "count": 1})
    page = actions.wait_until_live(browse("/"))
    prompt = actions.unique_prompt("a famous person")
    actions.start(page, prompt, shape="1:1", takes=3)
    refusal = page.get_by_role("alert").filter(has_text="VideoGen rejected this job.")
    expect(refusal).to_contain_text("This prompt names a living person.")
    expect(refusal).to_contain_text("moderation_refused")
    expect(refusal).to_be_focused()
    expect(page.get_by_label("Prompt")).to_have_value(prompt)
    expect(page.get_by_label("1:1", exact=True)).to_be_checked()
    expect(page.get_by_label("Takes")).to_have_value("3")
    expect(actions.finished_job(page, prompt)).to_have_attribute("data-status", "failed")
    # The refused form can be changed and submitted again.
    another = actions.unique_prompt("an unknown person")
    actions.start(page, another)
    actions.wait_until_finished(page, another)
    assert [each["request"]["aspectRatio"] for each in site.sandbox_jobs(another)] == [
        {"width": 1, "height": 1}
    ]


def test_an_empty_prompt_is_reported_at_its_field(browse: Opener, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.append("status of 422")
    page = actions.wait_until_live(browse("/"))
    page.locator("#start").click()
    prompt = page.get_by_label("Prompt")
    expect(prompt).to_have_attribute("aria-invalid", "true")
    expect(prompt).to_be_focused()
    described = prompt.get_attribute("aria-describedby") or ""
    expect(page.locator(f"#{described.split()[0]}")).not_to_be_empty()
