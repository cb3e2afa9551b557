"""The main tasks without JavaScript: plain forms and plain pages."""

from __future__ import annotations

from urllib.parse import urljoin

from playwright.sync_api import Page, expect

from tests.browser import actions
from tests.browser.conftest import PHONE, BrowserErrors, Opener
from tests.browser.site import Site, hold_jobs, release_jobs
from tests.conftest import SandboxProcess
from tests.waiting import eventually


def reload_until(page: Page, prompt: str, status: str) -> None:
    """Reload the page until the job's tile has this status, as a person would."""
    tile = actions.finished_job(page, prompt)

    def reloaded() -> str | None:
        page.reload()
        return tile.get_attribute("data-status") if tile.count() else None

    eventually(reloaded, lambda seen: seen == status)


def test_jobs_can_be_started_cancelled_and_found_without_javascript(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    page = browse("/", name=None, java_script_enabled=False, viewport=PHONE)
    page.get_by_label("Username").fill("member")
    page.get_by_label("Password").fill(site.password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{site.url}/")  # loaded: the notice is the last part of the page
    # Chromium does not render <noscript> if its debugging protocol has disabled scripts.
    assert "Without JavaScript this page does not update" in page.content()

    first, second = actions.unique_prompt(), actions.unique_prompt()
    hold_jobs(sandbox)
    actions.start(page, first, shape="1:1")
    expect(page).to_have_url(f"{site.url}/tools/generate-image/")
    expect(actions.job(page, first)).to_be_visible()
    release_jobs(sandbox)
    reload_until(page, first, "succeeded")
    image = actions.finished_job(page, first).locator("img")
    picture = page.request.get(urljoin(page.url, image.get_attribute("src")))
    assert picture.headers["content-type"].startswith("image/")
    shown = image.bounding_box()
    assert shown is not None
    assert shown["height"] > 200

    hold_jobs(sandbox)
    actions.start(page, second)
    actions.job(page, second).get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(second)
    page.get_by_role("link", name="Studio").click()
    reload_until(page, second, "cancelled")

    page.get_by_role("link", name="History", exact=True).click()
    page.locator("summary", has_text="Status").click()
    page.get_by_label("cancelled", exact=True).check()
    page.locator("details[open]").get_by_role("button", name="Show").click()
    expect(actions.row(page, second)).to_be_visible()
    expect(actions.row(page, first)).to_have_count(0)
    page.get_by_role("link", name="Clear").click()
    actions.row(page, first).get_by_role("link").click()
    expect(page.locator("figure.result img")).to_be_visible()
    page.locator("details.disclosure summary").first.click()
    expect(page.locator("details.disclosure pre").first).to_contain_text(first)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · Rushes")


def test_another_tool_and_an_invalid_form(browse: Opener, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.append("status of 422")
    page = browse("/", java_script_enabled=False)
    page.get_by_role("link", name="Audio").click()
    expect(page.get_by_label("Script")).to_be_visible()
    page.get_by_label("Takes").fill("0")
    page.locator("#start").click()
    expect(page.get_by_label("Script")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Takes")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Takes")).to_have_value("0")


def test_a_form_sent_again_after_going_back_starts_one_job(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    page = browse("/", java_script_enabled=False)
    prompt = actions.unique_prompt()
    actions.start(page, prompt)
    expect(actions.job(page, prompt).or_(actions.finished_job(page, prompt))).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Prompt")).to_have_value(prompt)
    with page.expect_navigation():
        page.locator("#start").click()
    reload_until(page, prompt, "succeeded")
    assert len(site.sandbox_jobs(prompt)) == 1
