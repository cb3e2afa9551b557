"""Figures that lead to their jobs, a comment that calls somebody who sees it at once, and what ended while one was away."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.browser import acts
from tests.browser.conftest import PHONE, Opener
from tests.browser.site import Site, order
from tests.browser.test_browser_accessibility import TWO_LOOKS, audit
from tests.conftest import SandboxProcess

LEFT_AN_HOUR_AGO = """
from datetime import timedelta
from django.utils import timezone
from executions.models import LastLook
at = timezone.now() - timedelta(hours=1)
LastLook.objects.all().delete()
from django.contrib.auth import get_user_model
for person in get_user_model().objects.all():
    LastLook.objects.create(person=person, looked_at=at, before_at=at)
"""


def ended(page: Page, prompt: str, status: str) -> None:
    page.goto("/executions/")
    expect(acts.row(acts.live(page), prompt)).to_have_attribute("data-status", status, timeout=20_000)


def test_a_mark_of_a_chart_leads_to_its_jobs(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    order(sandbox, {"kind": "job", "fail": "moderation_refused", "count": 1})
    [failed] = site.start(acts.words())
    page = browse("/executions/")
    ended(page, failed, "failed")
    [well] = site.start(acts.words())
    ended(page, well, "succeeded")

    mark = page.locator('[aria-labelledby="chart-ends"] a[aria-label*="failed"]').first
    expect(counted(page, mark)).to_be_attached()
    expect(page.locator("dl.insights-figures")).to_contain_text("succeeded")
    words = mark.get_attribute("aria-label") or ""
    mark.focus()
    expect(page.locator('[aria-labelledby="chart-ends"] .insights-readout')).to_have_text(words)
    audit(page, looks=TWO_LOOKS)
    page.set_viewport_size({"width": 1280, "height": 900})
    mark.press("Enter")
    page.wait_for_url("**/executions/?**")
    filters = parse_qs(urlsplit(page.url).query)
    assert filters["status"] == ["failed"]
    assert filters["from"] == filters["to"]
    expect(acts.row(page, failed)).to_be_visible()
    expect(acts.row(page, well)).to_have_count(0)


def counted(page: Page, mark: object) -> object:
    """The counts follow within seconds: the page is asked again until it has the mark."""
    for _ in range(40):
        page.goto("/insights/?range=7")
        if mark.count():  # type: ignore[attr-defined]
            break
        page.wait_for_timeout(500)
    return mark


def test_a_comment_calls_somebody_who_sees_it_at_once(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    [prompt] = site.start(acts.words(), name="member")
    admin = browse("/executions/", name="admin")
    ended(admin, prompt, "succeeded")
    acts.row(admin, prompt).get_by_role("link").click()
    url = urlsplit(admin.url).path
    acts.live(admin)
    member = acts.live(browse("/executions/", name="member"))
    watching = acts.live(browse(url, name="member", viewport=PHONE))
    said = acts.words("Which of these, @member?")

    admin.get_by_label("Your comment").fill(said)
    admin.get_by_role("button", name="Comment").click()
    expect(admin.locator(".comment", has_text=said)).to_contain_text("you")
    expect(admin.get_by_label("Your comment")).to_have_value("")
    # The one who looks at the job reads it; the one who is called hears the bell, until they have looked.
    expect(watching.locator(".comment", has_text=said)).to_contain_text("admin")
    expect(watching.locator(".comment", has_text=said).get_by_role("link", name="@member")).to_be_visible()
    expect(watching.get_by_role("button", name="Withdraw")).to_have_count(0)
    audit(watching, within="#talk", looks=TWO_LOOKS)
    member.goto("/mentions/")
    expect(member.locator(".comment").first).to_contain_text(said)

    admin.on("dialog", lambda dialog: dialog.accept())
    admin.locator(".comment", has_text=said).get_by_role("button", name="Withdraw").click()
    expect(watching.get_by_text("This comment was withdrawn")).to_be_visible()
    expect(watching.locator(".comment", has_text=said)).to_have_count(0)


def test_the_bell_rings_on_another_page(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    [prompt] = site.start(acts.words(), name="admin")
    admin = browse("/executions/", name="admin")
    ended(admin, prompt, "succeeded")
    acts.row(admin, prompt).get_by_role("link").click()
    acts.live(admin)
    member = acts.live(browse("/executions/", name="member"))
    expect(member.locator("#bell .number")).to_have_count(0)
    admin.get_by_label("Your comment").fill("@member please")
    admin.get_by_role("button", name="Comment").click()
    expect(member.locator("#bell .number")).to_have_text("1")
    member.locator("#bell").click()
    member.get_by_role("link", name=prompt).click()
    expect(member.locator(".comment", has_text="please")).to_be_visible()
    expect(member.locator("#bell .number")).to_have_count(0)


def test_since_you_left_and_run_again(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    order(sandbox, {"kind": "job", "fail": "moderation_refused", "count": 2})
    failed = site.start(acts.words(), acts.words(), name="member")
    watcher = browse("/executions/", name="admin")
    for prompt in failed:
        ended(watcher, prompt, "failed")
    site.manage(LEFT_AN_HOUR_AGO)
    page = browse("/", name="member")
    panel = page.locator("#since")
    expect(panel).to_contain_text("failed")
    audit(page, within="#since", looks=TWO_LOOKS)
    page.set_viewport_size({"width": 1280, "height": 900})
    cause = panel.locator(".away-summary-cause", has_text="moderation_refused")
    cause.get_by_role("button").click()
    page.wait_for_url("**/batches/plans/*/")
    for prompt in failed:
        expect(page.locator(".batch-rows")).to_contain_text(prompt)
    page.locator("#confirm").click()
    page.wait_for_url("**/batches/*/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("again")


def test_what_was_in_sight_is_not_told_again(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    [prompt] = site.start(acts.words(), name="member")
    ended(browse("/executions/", name="admin"), prompt, "succeeded")
    # What others have started meanwhile must not end between the two looks.
    expect(browse("/", name="admin").locator("#flight > *")).to_have_count(0, timeout=90_000)
    site.manage(LEFT_AN_HOUR_AGO)
    page = browse("/", name="member")
    page.locator("#since").scroll_into_view_if_needed()
    expect(page.locator("#since")).to_have_attribute("data-seen", "")
    page.goto("/")
    expect(page.locator("#since")).to_have_count(0)
    page.get_by_role("link", name="Since you left").click()
    expect(page.locator("#since")).to_contain_text("came out well")
