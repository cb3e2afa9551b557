"""Input in the studio's form survives opening another tool, responses, and the end of the session."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Route, expect

from tests.browser import actions
from tests.browser.conftest import BrowserErrors, Opener
from tests.browser.site import STARTS, Site, set_faults
from tests.browser.test_browser_sign_in import sign_in
from tests.conftest import SandboxProcess

SIGNED_OUT = "You are signed out. Sign in in another tab, then press Start again."


def open_tool(page: Page, name: str) -> None:
    page.locator(".tool-form-kinds").get_by_role("link", name=name, exact=True).click()


def hold_starts(page: Page) -> list[Route]:
    """Hold back the requests of starts until the test continues or aborts them."""
    held_requests: list[Route] = []
    starts = re.compile(r"/tools/[a-z-]+/$")
    page.route(
        starts,
        lambda route: held_requests.append(route) if route.request.method == "POST" else route.continue_(),
    )
    return held_requests


def expect_submitting(page: Page) -> None:
    expect(page.locator("#composer.htmx-request")).to_be_visible()


# --- another tool -----------------------------------------------------------------------------------------


def test_input_is_carried_over_to_another_tool(browse: Opener) -> None:
    """Also via a tool that lacks the field, and by going back; inputs that a tool lacks are left out."""
    page = actions.wait_until_live(browse("/"))
    actions.mark_document(page)
    prompt = page.get_by_label("Prompt", exact=True)
    text = f"{actions.unique_prompt()} {'and its keeper ' * 600}"  # longer than a URL may be
    prompt.fill(text)
    page.get_by_label("9:16", exact=True).check()
    page.get_by_label("Takes").fill("3")
    open_tool(page, "Video")
    expect(page).to_have_url(re.compile("/tools/generate-video-clip/$"))
    expect(prompt).to_have_value(text)
    expect(page.get_by_label("9:16", exact=True)).to_be_checked()
    open_tool(page, "Audio")
    script = page.get_by_label("Script")
    expect(script).to_have_value("")
    script.fill("Good evening")
    open_tool(page, "Image")
    expect(prompt).to_have_value(text)
    expect(page.get_by_label("Takes")).to_have_value("3")
    page.go_back()
    expect(script).to_have_value("Good evening")
    page.go_back()
    expect(page).to_have_url(re.compile("/tools/generate-video-clip/$"))
    prompt.fill("another")
    page.go_back()
    expect(page.locator("#kind-image")).to_have_attribute("aria-current", "true")
    expect(prompt).to_have_value("another")
    assert actions.is_same_document(page)


def test_selected_files_are_carried_over_where_they_fit(browse: Opener) -> None:
    page, prompt = actions.wait_until_live(browse("/")), actions.unique_prompt("a pier")
    actions.start(page, prompt)
    actions.wait_until_finished(page, prompt)
    page.goto("/tools/upscale-image/")
    page.locator("#composer .tool-field-option", has_text=prompt).locator("input").check()
    page.locator("#tool-vectorize-image").click()
    expect(page.locator("#tool-vectorize-image")).to_have_attribute("aria-current", "true")
    expect(page.locator("#composer .tool-field-option:has(:checked)")).to_contain_text(
        prompt, ignore_case=True
    )


def test_another_tool_can_be_opened_during_a_start(browse: Opener) -> None:
    page = actions.wait_until_live(browse("/"))
    held_requests, text = hold_starts(page), actions.unique_prompt()
    actions.start(page, text)
    expect_submitting(page)
    open_tool(page, "Video")
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(text)
    expect(page.locator("#start")).to_be_enabled()
    held_requests.pop().continue_()
    # The job may have finished by the time the page is read.
    expect(page.locator("#said")).to_have_text(re.compile(r"^Started\.|^succeeded: "))
    actions.wait_until_finished(page, text)
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")


def test_a_failed_start_is_reported_after_opening_another_tool(
    browse: Opener, browser_errors: BrowserErrors
) -> None:
    page = actions.wait_until_live(browse("/"))
    held_requests = hold_starts(page)
    page.locator("#start").click()
    expect_submitting(page)
    open_tool(page, "Video")
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    browser_errors.expected.append("status of 422|ERR_FAILED|htmx:(sendError|afterRequest)")
    held_requests.pop().continue_()
    expect(page.locator("#trouble")).to_have_text(re.compile("Not started. Prompt: please fill this in."))
    # A start that did not reach the server is reported as well.
    open_tool(page, "Image")
    expect(page.locator("#kind-image")).to_have_attribute("aria-current", "true")
    page.locator("#start").click()
    expect_submitting(page)
    open_tool(page, "Video")
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    held_requests.pop().abort()
    expect(page.locator("#trouble")).to_contain_text("Cannot reach Rushes")


# --- late responses ---------------------------------------------------------------------------------------


def test_input_during_a_refused_start_is_kept(
    browse: Opener, site: Site, browser_errors: BrowserErrors
) -> None:
    """The error is shown at the field, and the cursor stays where it is, also when another part of the page updates."""
    browser_errors.expected.append("status of 422")
    page = actions.wait_until_live(browse("/"))
    held_requests, prompt, text = (
        hold_starts(page),
        page.get_by_label("Prompt", exact=True),
        actions.unique_prompt(),
    )
    page.get_by_label("Takes").fill("101")
    prompt.fill("before")
    prompt.press("Control+Enter")
    expect_submitting(page)
    prompt.fill(text)
    prompt.press("Home")
    held_requests.pop().continue_()
    expect(page.locator("#composer:not(.htmx-request)")).to_be_visible()
    takes = page.get_by_label("Takes")
    expect(takes).to_have_attribute("aria-invalid", "true")
    expect(prompt).to_have_value(text)
    described = (takes.get_attribute("aria-describedby") or "").split()[0]
    expect(page.locator(f"#{described}")).not_to_be_empty()
    expect(page.locator("#trouble")).to_contain_text("Not started. Takes: ")
    [other] = site.start(actions.unique_prompt(), name="member")
    expect(actions.job(page, other).or_(actions.finished_job(page, other))).to_be_visible()
    expect(prompt).to_be_focused()
    prompt.press_sequentially("so: ")
    expect(prompt).to_have_value(f"so: {text}")
    takes.fill("1")
    page.locator("#start").click()
    expect_submitting(page)
    held_requests.pop().continue_()
    actions.wait_until_finished(page, f"so: {text}")
    expect(page.locator("#composer :is(.field-problem, .field-invalid, [aria-invalid])")).to_have_count(0)


# --- the session ------------------------------------------------------------------------------------------


def test_input_is_kept_when_the_session_has_ended(browse: Opener) -> None:
    page = actions.wait_until_live(browse("/"))
    actions.mark_document(page)
    page.context.clear_cookies(name="sessionid")
    page.get_by_label("Prompt", exact=True).press_sequentially("a long thought")
    trouble = page.locator("#trouble")
    expect(trouble).to_contain_text("You are signed out.")
    expect(trouble.get_by_role("link", name="Sign in in another tab")).to_have_attribute("target", "_blank")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a long thought")
    assert actions.is_same_document(page)


def test_a_start_succeeds_after_signing_in_in_another_tab(
    browse: Opener, site: Site, browser_errors: BrowserErrors
) -> None:
    """The new session has a new CSRF token, which replaces that of the form; pressing Start once is enough."""
    browser_errors.expected.append("status of 403")
    page, text = actions.wait_until_live(browse("/")), actions.unique_prompt()
    # The hint about an earlier result is never answered: any response would replace the message being tested.
    page.route("**/before/", lambda route: None)
    actions.mark_document(page)
    page.context.clear_cookies(name="sessionid")
    actions.start(page, text)
    trouble = page.locator("#trouble")
    expect(trouble).to_have_text(SIGNED_OUT)
    with page.context.expect_page() as opened:
        trouble.get_by_role("link").click()
    sign_in(opened.value, "admin", site.password)
    expect(opened.value.locator("#composer")).to_be_visible()
    page.locator("#start").click()
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")
    expect(trouble).to_be_empty()
    actions.wait_until_finished(page, text)
    assert actions.is_same_document(page)
    assert len(site.sandbox_jobs(text)) == 1


def test_a_start_without_cookies_asks_to_sign_in(browse: Opener, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.append("status of 403")
    page, text = actions.wait_until_live(browse("/")), actions.unique_prompt()
    page.context.clear_cookies()
    actions.start(page, text)
    expect(page.locator("#trouble")).to_have_text(SIGNED_OUT)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(text)


def test_nothing_is_started_for_another_person_who_signed_in(
    browse: Opener, site: Site, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 403")
    page, text = actions.wait_until_live(browse("/")), actions.unique_prompt()
    page.context.clear_cookies(name="sessionid")
    other = page.context.new_page()
    other.goto("/sign-in/")
    sign_in(other, "member", site.password)
    expect(other.locator("#composer")).to_be_visible()
    actions.start(page, text)
    expect(page.locator("#trouble")).to_contain_text("You are now signed in as another person")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(text)
    assert site.sandbox_jobs(text) == []


def test_input_is_kept_while_the_page_polls(browse: Opener, site: Site) -> None:
    """A page whose socket was closed by signing out polls every few seconds, and then asks to sign in."""
    page = browse("/", name=None)
    sign_in(page, "admin", site.password)
    actions.wait_until_live(page)
    actions.mark_document(page)
    page.get_by_label("Prompt", exact=True).fill("a long thought")
    other = page.context.new_page()
    other.goto("/")
    other.get_by_role("button", name="Sign out").click()
    expect(page.locator("#trouble")).to_contain_text("You are signed out.")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a long thought")
    assert actions.is_same_document(page)


def test_a_refusal_is_reported_after_opening_another_tool(
    browse: Opener, sandbox: SandboxProcess, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 422")
    body = {"message": "This prompt names a living person.", "code": "moderation_refused"}
    set_faults(sandbox, {"kind": "status", "match": STARTS, "status": 400, "body": body, "count": 1})
    page = actions.wait_until_live(browse("/"))
    held_requests = hold_starts(page)
    actions.start(page, actions.unique_prompt("a famous person"))
    expect_submitting(page)
    open_tool(page, "Video")
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    held_requests.pop().continue_()
    expect(page.locator("#trouble")).to_contain_text("This prompt names a living person.")
