"""Insights that lead to their jobs, live comments and mentions, and the summary since the last visit."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page, expect

from tests.browser import actions
from tests.browser.conftest import PHONE, Opener
from tests.browser.site import Site, set_faults
from tests.browser.test_browser_accessibility import TWO_VARIANTS, audit
from tests.conftest import SandboxProcess
from tests.waiting import eventually

LEFT_AN_HOUR_AGO = """
from datetime import timedelta
from django.utils import timezone
from executions.models import LastVisit
at = timezone.now() - timedelta(hours=1)
LastVisit.objects.all().delete()
from django.contrib.auth import get_user_model
for person in get_user_model().objects.all():
    LastVisit.objects.create(person=person, seen_until=at, summary_since=at)
"""


def wait_until_finished(page: Page, prompt: str, status: str) -> None:
    page.goto("/executions/")
    expect(actions.row(actions.wait_until_live(page), prompt)).to_have_attribute("data-status", status)


def test_a_chart_mark_leads_to_its_jobs(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    set_faults(sandbox, {"kind": "job", "fail": "moderation_refused", "count": 1})
    [failed] = site.start(actions.unique_prompt())
    page = browse("/executions/")
    wait_until_finished(page, failed, "failed")
    [succeeded] = site.start(actions.unique_prompt())
    wait_until_finished(page, succeeded, "succeeded")

    mark = page.locator('[aria-labelledby="chart-ends"] a[aria-label*="failed"]').first

    def is_counted() -> int:
        page.goto("/insights/?range=7")
        return mark.count()

    eventually(is_counted)  # the counts are updated within seconds
    expect(page.locator("dl.insights-figures")).to_contain_text("succeeded")
    label = mark.get_attribute("aria-label") or ""
    mark.focus()
    expect(page.locator('[aria-labelledby="chart-ends"] .insights-readout')).to_have_text(label)
    audit(page, variants=TWO_VARIANTS)
    page.set_viewport_size({"width": 1280, "height": 900})
    mark.press("Enter")
    page.wait_for_url("**/executions/?**")
    filters = parse_qs(urlsplit(page.url).query)
    assert filters["status"] == ["failed"]
    assert filters["from"] == filters["to"]
    expect(actions.row(page, failed)).to_be_visible()
    expect(actions.row(page, succeeded)).to_have_count(0)


def test_a_comment_and_its_mention_appear_live(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    [prompt] = site.start(actions.unique_prompt(), name="member")
    admin = browse("/executions/", name="admin")
    wait_until_finished(admin, prompt, "succeeded")
    actions.row(admin, prompt).get_by_role("link").click()
    url = urlsplit(admin.url).path
    actions.wait_until_live(admin)
    member = actions.wait_until_live(browse("/executions/", name="member"))
    watching = actions.wait_until_live(browse(url, name="member", viewport=PHONE))
    comment = actions.unique_prompt("Which of these, @member?")

    admin.get_by_label("Your comment").fill(comment)
    admin.get_by_role("button", name="Comment").click()
    expect(admin.locator(".comment", has_text=comment)).to_contain_text("you")
    expect(admin.get_by_label("Your comment")).to_have_value("")
    # It appears live on the open job page, and under the mentions of the person.
    expect(watching.locator(".comment", has_text=comment)).to_contain_text("admin")
    expect(watching.locator(".comment", has_text=comment).get_by_role("link", name="@member")).to_be_visible()
    expect(watching.get_by_role("button", name="Withdraw")).to_have_count(0)
    audit(watching, within="#talk", variants=TWO_VARIANTS)
    member.goto("/mentions/")
    expect(member.locator(".comment").first).to_contain_text(comment)

    admin.on("dialog", lambda dialog: dialog.accept())
    admin.locator(".comment", has_text=comment).get_by_role("button", name="Withdraw").click()
    expect(watching.get_by_text("This comment was withdrawn")).to_be_visible()
    expect(watching.locator(".comment", has_text=comment)).to_have_count(0)


def test_a_mention_is_counted_at_the_bell_on_other_pages(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    [prompt] = site.start(actions.unique_prompt(), name="admin")
    admin = browse("/executions/", name="admin")
    wait_until_finished(admin, prompt, "succeeded")
    actions.row(admin, prompt).get_by_role("link").click()
    actions.wait_until_live(admin)
    member = actions.wait_until_live(browse("/executions/", name="member"))
    expect(member.locator("#bell .number")).to_have_count(0)
    admin.get_by_label("Your comment").fill("@member please")
    admin.get_by_role("button", name="Comment").click()
    expect(member.locator("#bell .number")).to_have_text("1")
    member.locator("#bell").click()
    member.get_by_role("link", name=prompt).click()
    expect(member.locator(".comment", has_text="please")).to_be_visible()
    expect(member.locator("#bell .number")).to_have_count(0)


def test_failed_jobs_since_the_last_visit_can_be_run_again(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    set_faults(sandbox, {"kind": "job", "fail": "moderation_refused", "count": 2})
    failed = site.start(actions.unique_prompt(), actions.unique_prompt(), name="member")
    watcher = browse("/executions/", name="admin")
    for prompt in failed:
        wait_until_finished(watcher, prompt, "failed")
    site.manage(LEFT_AN_HOUR_AGO)
    page = browse("/", name="member")
    panel = page.locator("#since")
    expect(panel).to_contain_text("failed")
    audit(page, within="#since", variants=TWO_VARIANTS)
    page.set_viewport_size({"width": 1280, "height": 900})
    cause = panel.locator(".away-summary-cause", has_text="moderation_refused")
    cause.get_by_role("button").click()
    page.wait_for_url("**/batches/plans/*/")
    for prompt in failed:
        expect(page.locator(".batch-rows")).to_contain_text(prompt)
    page.locator("#confirm").click()
    page.wait_for_url("**/batches/*/")
    expect(page.get_by_role("heading", level=1)).to_contain_text("again")


def test_a_summary_that_was_seen_is_not_shown_again(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    [prompt] = site.start(actions.unique_prompt(), name="member")
    wait_until_finished(browse("/executions/", name="admin"), prompt, "succeeded")
    site.manage(LEFT_AN_HOUR_AGO)
    page = browse("/", name="member")
    # Jobs of other tests may finish between the two visits, and are then summarised.
    in_summary = page.locator("#since").get_by_title(prompt)
    in_summary.scroll_into_view_if_needed()
    expect(page.locator("#since")).to_have_attribute("data-seen", "")
    page.goto("/")
    expect(page.get_by_role("heading", name="In flight")).to_be_visible()
    expect(in_summary).to_have_count(0)
    page.get_by_role("link", name="Since you left").click()
    expect(in_summary).to_be_visible()
