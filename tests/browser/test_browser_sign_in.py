"""Signing in with the printed password, and signing out."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser import actions
from tests.browser.conftest import BrowserErrors, Opener
from tests.browser.site import Site


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def test_the_printed_sign_in_leads_to_the_requested_page(browse: Opener, site: Site) -> None:
    page = browse("/executions/?status=failed", name=None)
    expect(page).to_have_title("Sign in · Rushes")
    sign_in(page, "member", site.password)
    expect(page).to_have_url(f"{site.url}/executions/?status=failed")
    expect(page.locator(".person-name")).to_contain_text("member")


def test_a_wrong_password_is_reported(browse: Opener, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.append("status of 422")
    page = browse("/", name=None)
    sign_in(page, "admin", "not the password")
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    expect(page.get_by_label("Username")).to_have_value("admin")
    expect(page.get_by_label("Password")).to_have_value("")


def test_signing_out_signs_out_every_open_page(browse: Opener, site: Site) -> None:
    """Another tab, which is connected by its socket, shows the sign-in page as well."""
    page = browse("/", name=None)
    sign_in(page, "member", site.password)
    actions.wait_until_live(page)
    other = page.context.new_page()
    other.goto("/executions/")
    actions.wait_until_live(other)
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in · Rushes")
    expect(other).to_have_title("Sign in · Rushes")
