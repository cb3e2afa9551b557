"""Nobody types twice: what is in the studio's form outlives another tool, an answer, and the end of the session."""

from __future__ import annotations

import re

from playwright.sync_api import Page, Route, expect

from tests.browser import acts
from tests.browser.conftest import Complaints, Opener
from tests.browser.site import STARTS, Site, order
from tests.browser.test_browser_sign_in import sign_in
from tests.conftest import SandboxProcess

SIGNED_OUT = "You are signed out. Sign in in another tab, then press Start again."


def tool(page: Page, name: str) -> None:
    page.locator(".tool-form-kinds").get_by_role("link", name=name, exact=True).click()


def hold(page: Page) -> list[Route]:
    """Starts that are sent wait here until they are let go."""
    held: list[Route] = []
    starts = re.compile(r"/tools/[a-z-]+/$")
    page.route(
        starts, lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    return held


def under_way(page: Page) -> None:
    expect(page.locator("#composer.htmx-request")).to_be_visible()


# --- another tool -----------------------------------------------------------------------------------------


def test_what_was_typed_comes_along_to_another_tool(browse: Opener) -> None:
    """Also over one that does not ask for it, and by the browser's Back; what that tool does not take is left out."""
    page = acts.live(browse("/"))
    acts.stays(page)
    prompt = page.get_by_label("Prompt", exact=True)
    words = f"{acts.words()} {'and its keeper ' * 600}"  # longer than an address may be
    prompt.fill(words)
    page.get_by_label("9:16", exact=True).check()
    page.get_by_label("Takes").fill("3")
    tool(page, "Video")
    expect(page).to_have_url(re.compile("/tools/generate-video-clip/$"))
    expect(prompt).to_have_value(words)
    expect(page.get_by_label("9:16", exact=True)).to_be_checked()
    tool(page, "Audio")
    said = page.get_by_label("Script")
    expect(said).to_have_value("")
    said.fill("Good evening")
    tool(page, "Image")
    expect(prompt).to_have_value(words)
    expect(page.get_by_label("Takes")).to_have_value("3")
    page.go_back()
    expect(said).to_have_value("Good evening")
    page.go_back()
    expect(page).to_have_url(re.compile("/tools/generate-video-clip/$"))
    prompt.fill("another")
    page.go_back()
    expect(page.locator("#kind-image")).to_have_attribute("aria-current", "true")
    expect(prompt).to_have_value("another")
    assert acts.stayed(page)


def test_files_that_were_chosen_come_along_where_they_fit(browse: Opener) -> None:
    page, prompt = acts.live(browse("/")), acts.words("a pier")
    acts.start(page, prompt)
    acts.ended(page, prompt)
    page.goto("/tools/upscale-image/")
    page.locator("#composer .tool-field-option", has_text=prompt).locator("input").check()
    page.locator("#tool-vectorize-image").click()
    expect(page.locator("#tool-vectorize-image")).to_have_attribute("aria-current", "true")
    expect(page.locator("#composer .tool-field-option:has(:checked)")).to_contain_text(
        prompt, ignore_case=True
    )


def test_another_tool_can_be_chosen_while_a_start_is_under_way(browse: Opener) -> None:
    page = acts.live(browse("/"))
    held, words = hold(page), acts.words()
    acts.start(page, words)
    under_way(page)
    tool(page, "Video")
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(words)
    expect(page.locator("#start")).to_be_enabled()
    held.pop().continue_()
    # The job may have finished by the time the page is read.
    expect(page.locator("#said")).to_have_text(re.compile(r"^Started\.|^succeeded: "))
    acts.ended(page, words)
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")


def test_a_start_that_was_left_and_not_taken_is_told(browse: Opener, complaints: Complaints) -> None:
    page = acts.live(browse("/"))
    held = hold(page)
    page.locator("#start").click()
    under_way(page)
    tool(page, "Video")
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    complaints.expected.append("status of 422|ERR_FAILED|htmx:(sendError|afterRequest)")
    held.pop().continue_()
    expect(page.locator("#trouble")).to_have_text(
        re.compile("It was not started. Prompt: please fill this in.")
    )
    # One that did not arrive at all is told as well.
    tool(page, "Image")
    expect(page.locator("#kind-image")).to_have_attribute("aria-current", "true")
    page.locator("#start").click()
    under_way(page)
    tool(page, "Video")
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    held.pop().abort()
    expect(page.locator("#trouble")).to_contain_text("Cannot reach Rushes")


# --- an answer that comes late ----------------------------------------------------------------------------


def test_what_is_typed_before_a_field_is_refused_stays(browse: Opener, complaints: Complaints) -> None:
    """What is wrong is said at the field, and the cursor stays where it is."""
    complaints.expected.append("status of 422")
    page = acts.live(browse("/"))
    held, prompt, words = hold(page), page.get_by_label("Prompt", exact=True), acts.words()
    page.get_by_label("Takes").fill("101")
    prompt.fill("before")
    prompt.press("Control+Enter")
    under_way(page)
    prompt.fill(words)
    prompt.press("Home")
    held.pop().continue_()
    expect(page.locator("#composer:not(.htmx-request)")).to_be_visible()
    takes = page.get_by_label("Takes")
    expect(takes).to_have_attribute("aria-invalid", "true")
    expect(prompt).to_have_value(words)
    described = (takes.get_attribute("aria-describedby") or "").split()[0]
    expect(page.locator(f"#{described}")).not_to_be_empty()
    expect(page.locator("#trouble")).to_contain_text("It was not started. Takes: ")
    expect(prompt).to_be_focused()
    prompt.press_sequentially("so: ")
    expect(prompt).to_have_value(f"so: {words}")
    takes.fill("1")
    page.locator("#start").click()
    under_way(page)
    held.pop().continue_()
    acts.ended(page, f"so: {words}")
    expect(page.locator("#composer :is(.field-problem, .field-invalid, [aria-invalid])")).to_have_count(0)


# --- the session ------------------------------------------------------------------------------------------


def test_typing_when_the_session_is_over_loses_nothing(browse: Opener) -> None:
    page = acts.live(browse("/"))
    acts.stays(page)
    page.context.clear_cookies(name="sessionid")
    page.get_by_label("Prompt", exact=True).press_sequentially("a long thought")
    trouble = page.locator("#trouble")
    expect(trouble).to_contain_text("You are signed out.")
    expect(trouble.get_by_role("link", name="Sign in in another tab")).to_have_attribute("target", "_blank")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a long thought")
    assert acts.stayed(page)


def test_a_start_after_the_session_is_over_is_sent_when_one_has_signed_in_elsewhere(
    browse: Opener, site: Site, complaints: Complaints
) -> None:
    """The new session has a new token: the form's own is replaced, and nobody presses twice."""
    complaints.expected.append("status of 403")
    page, words = acts.live(browse("/")), acts.words()
    acts.stays(page)
    page.context.clear_cookies(name="sessionid")
    acts.start(page, words)
    trouble = page.locator("#trouble")
    expect(trouble).to_have_text(SIGNED_OUT)
    with page.context.expect_page() as opened:
        trouble.get_by_role("link").click()
    sign_in(opened.value, "admin", site.password)
    expect(opened.value.locator("#composer")).to_be_visible()
    page.locator("#start").click()
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")
    expect(trouble).to_be_empty()
    acts.ended(page, words)
    assert acts.stayed(page)
    assert len(site.truth(words)) == 1


def test_without_any_cookie_it_is_told_as_well(browse: Opener, complaints: Complaints) -> None:
    complaints.expected.append("status of 403")
    page, words = acts.live(browse("/")), acts.words()
    page.context.clear_cookies()
    acts.start(page, words)
    expect(page.locator("#trouble")).to_have_text(SIGNED_OUT)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(words)


def test_nothing_is_started_for_somebody_else_who_signed_in_meanwhile(
    browse: Opener, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 403")
    page, words = acts.live(browse("/")), acts.words()
    page.context.clear_cookies(name="sessionid")
    other = page.context.new_page()
    other.goto("/sign-in/")
    sign_in(other, "member", site.password)
    expect(other.locator("#composer")).to_be_visible()
    acts.start(page, words)
    expect(page.locator("#trouble")).to_contain_text("You are signed in as somebody else now")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value(words)
    assert site.truth(words) == []


def test_the_words_stay_while_the_page_asks_for_what_is_new(browse: Opener, site: Site) -> None:
    """A page whose socket was closed by signing out asks every few seconds, and is told to sign in."""
    page = browse("/", name=None)
    sign_in(page, "admin", site.password)
    acts.live(page)
    acts.stays(page)
    page.get_by_label("Prompt", exact=True).fill("a long thought")
    other = page.context.new_page()
    other.goto("/")
    other.get_by_role("button", name="Sign out").click()
    expect(page.locator("#trouble")).to_contain_text("You are signed out.")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a long thought")
    assert acts.stayed(page)


def test_a_refusal_by_videogen_comes_when_one_has_left_the_tool(
    browse: Opener, sandbox: SandboxProcess, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    body = {"message": "This prompt names a living person.", "code": "moderation_refused"}
    order(sandbox, {"kind": "status", "match": STARTS, "status": 400, "body": body, "count": 1})
    page = acts.live(browse("/"))
    held = hold(page)
    acts.start(page, acts.words("somebody famous"))
    under_way(page)
    tool(page, "Video")
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    held.pop().continue_()
    expect(page.locator("#trouble")).to_contain_text("This prompt names a living person.")
