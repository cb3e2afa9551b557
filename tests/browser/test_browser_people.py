"""Admins invite and deactivate people and read the audit log; open pages of those people follow."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser import actions
from tests.browser.conftest import BrowserErrors, Opener
from tests.browser.site import Site
from tests.browser.test_browser_accessibility import audit

PASSWORD = "salt flats at noon"


def invite(browse: Opener, label: str) -> tuple[Page, str]:
    """Create an invitation; the page of people, and the link."""
    page = browse("/settings/people/", name="admin")
    page.get_by_label("Label").fill(label)
    page.get_by_role("button", name="Create link").click()
    return page, page.locator("#invitation-link").inner_text()


def join(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Repeat password").fill(PASSWORD)
    page.get_by_role("button", name="Join").click()


def test_a_person_joins_and_is_deactivated_while_their_page_is_open(browse: Opener, site: Site) -> None:
    admin, link = invite(browse, "Kim, colour grading")
    assert link.startswith(f"{site.url}/join/")
    kim = browse(link, name=None)
    join(kim, "kim")
    expect(kim.get_by_text("Welcome, kim.")).to_be_visible()
    actions.wait_until_live(kim)
    admin.goto("/settings/people/")
    admin.get_by_role("button", name="Deactivate kim").click()
    expect(admin.get_by_text("kim was deactivated")).to_be_visible()
    expect(kim).to_have_title("Sign in · Rushes")


def test_an_audit_entry_leads_to_all_entries_about_its_subject(browse: Opener) -> None:
    invite(browse, "Jo, sound")
    page = browse("/audit/?group=people", name="admin")
    row = page.locator("tr", has_text="Jo, sound").first
    expect(row).to_contain_text("admin created an invitation")
    row.locator("summary").click()
    row.get_by_role("link", name="all entries").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name="Clear").click()
    expect(page.locator("tbody tr").nth(1)).to_be_visible()


def test_a_filter_chosen_with_the_mouse_applies_at_once(browse: Opener) -> None:
    page = browse("/audit/", name="admin")
    source = page.get_by_label("Source")
    source.click()
    source.select_option("system")
    expect(page).to_have_url("/audit/?source=system")


def test_the_people_audit_and_join_pages_are_accessible(
    browse: Opener, browser_errors: BrowserErrors
) -> None:
    page, link = invite(browse, "Bo")
    audit(page)
    audit(browse("/audit/", name="admin"))
    page = browse(link, name=None)
    audit(page)
    browser_errors.expected.append("status of 404")
    audit(browse("/join/long-gone/", name=None))


def test_the_admin_site_works_under_the_content_security_policy(browse: Opener) -> None:
    """The browser would report any violation as an error."""
    page = browse("/admin/", name="admin")
    page.locator("#content").get_by_role("link", name="Events", exact=True).click()
    expect(page.locator("#result_list")).to_be_visible()
    page.locator("#result_list tbody th a").first.click()
    expect(page.locator("#event_form")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_have_count(0)
    page.get_by_role("link", name="Back to Rushes").click()
    expect(page.get_by_role("heading", name="In flight")).to_be_visible()
