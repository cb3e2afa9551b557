"""A job's page: results, settings and timeline; live while it runs, and clear when it failed."""

from __future__ import annotations

import json
import re
from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from tests.browser import actions
from tests.browser.conftest import BrowserErrors, Opener
from tests.browser.site import STARTS, Site, hold_jobs, release_jobs, set_faults
from tests.conftest import SandboxProcess

HYDRATES = "POST /v1/files/*/hydrate"


def open_job(page: Page, prompt: str) -> None:
    """Open a job's page from the history."""
    page.goto("/executions/")
    actions.wait_until_live(page)
    page.wait_for_load_state("networkidle")
    page.get_by_role("link", name=prompt, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(prompt)


def raw(page: Page, label: str) -> dict[str, object]:
    """Open a disclosure with raw JSON; its content."""
    fold = page.locator("details.disclosure", has_text=label)
    expect(fold.locator("pre")).to_be_hidden()
    fold.locator("summary").click()
    expect(fold.locator("pre")).to_be_visible()
    return json.loads(fold.locator("pre").inner_text())


def test_the_page_updates_live_and_shows_the_results(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    hold_jobs(sandbox)
    page = actions.wait_until_live(browse("/", name="member"))
    [prompt] = site.start(actions.unique_prompt(), name="member", aspectRatio="16:9", numResults=2)
    actions.job(page, prompt).get_by_role("link", name=prompt, exact=True).click()
    actions.wait_until_live(page)
    actions.mark_document(page)
    head = page.locator(".page-header")
    expect(head).to_have_attribute("data-status", "running")
    expect(head.get_by_role("progressbar")).to_be_visible()
    release_jobs(sandbox)
    expect(head).to_have_attribute("data-status", "succeeded")
    expect(page.locator("figure.result")).to_have_count(2)
    assert actions.is_same_document(page)

    image = page.get_by_role("img", name=f"Take 1: {prompt}")
    width, height = actions.picture_size(image)
    assert round(width / height, 2) == round(16 / 9, 2)
    shown = image.bounding_box()
    assert shown is not None
    assert shown["width"] > 450
    expect(head).to_contain_text("you")
    expect(head).to_contain_text("took")
    parameters = page.locator(".parameters")
    for text in (prompt, "16:9", "2"):
        expect(parameters).to_contain_text(text)
    [truth] = site.sandbox_jobs(prompt)
    request = raw(page, "Request as sent")
    assert (request["prompt"], request["aspectRatio"], request["numResults"]) == (
        prompt,
        {"width": 16, "height": 9},
        2,
    )
    assert truth["toolExecutionId"] in raw(page, "Response to the start").values()
    assert "succeeded" in json.dumps(raw(page, "Latest status response"))


def test_the_timeline_shows_events_times_and_sources(browse: Opener, site: Site) -> None:
    [prompt] = site.start(actions.unique_prompt(), name="member")
    page = browse("/")
    open_job(page, prompt)
    expect(page.locator(".page-header")).to_have_attribute("data-status", "succeeded")
    events = page.get_by_role("region", name="Timeline").get_by_role("listitem")
    first, last = events.first, events.last
    expect(first).to_contain_text("started by member")
    expect(last).to_have_attribute("data-hue", "succeeded")
    expect(last.locator(".timeline-source")).to_contain_text("webhook")
    times = events.locator("time").evaluate_all("(times) => times.map((time) => time.dateTime)")
    assert len(times) == events.count() >= 4
    assert times == sorted(times)
    for label in ("Download", "Run again", "Edit and run"):
        expect(page.get_by_text(label, exact=True)).to_be_visible()
    link = page.get_by_role("link", name="Download").get_attribute("href") or ""
    file = page.request.get(urljoin(page.url, link))
    assert file.headers["content-type"] == "image/png"
    assert len(file.body()) > 10_000


def test_a_failed_job_shows_code_and_message(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    set_faults(sandbox, {"kind": "job", "seconds": 1.5, "fail": "moderation_refused"})
    [prompt] = site.start(actions.unique_prompt())
    page = browse("/")
    open_job(actions.wait_until_live(page), prompt)
    outcome = page.locator(".result-outcome")
    expect(outcome.get_by_role("heading", name="Failed")).to_be_visible()
    for text in ("The sandbox was asked to fail this job.", "moderation_refused", "SBX-0001"):
        expect(outcome).to_contain_text(text)
    expect(page.locator(".page-header .status-badge")).to_contain_text("failed")


def test_an_unconfirmed_start_is_not_repeated_automatically(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    """A person can start it again, and is warned that both may be billed."""
    set_faults(sandbox, {"kind": "lost_before", "match": STARTS, "count": 1})
    page = actions.wait_until_live(browse("/"))
    prompt = actions.unique_prompt()
    actions.start(page, prompt)
    actions.job(page, prompt).get_by_role("link", name=prompt, exact=True).click()
    expect(page.locator(".page-header")).to_have_attribute("data-status", "unconfirmed")
    expect(page.get_by_text("This starts a second job, which may be billed as well.")).to_be_visible()
    before = page.url
    page.get_by_role("button", name="Start again").click()
    expect(page).not_to_have_url(before)
    expect(page.locator(".page-header")).to_have_attribute("data-status", "succeeded")
    assert len(site.sandbox_jobs(prompt)) == 1


@pytest.mark.parametrize(
    "prompt",
    [
        "<img src=x onerror=alert(1)><script>alert(2)</script><b>bold</b>",
        "{{ 7|add:7 }} {% now 'Y' %} ${7*7} &lt;i&gt;",
        "\u202etxet desrever\u202c then 🎬 and שלום",
    ],
    ids=["markup", "template syntax", "other directions"],
)
def test_a_prompt_is_shown_as_text(browse: Opener, site: Site, prompt: str) -> None:
    prompt = actions.unique_prompt(prompt)
    page = browse("/")
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    actions.start(actions.wait_until_live(page), prompt)
    expect(actions.wait_until_finished(page, prompt).locator(".finished-job-title")).to_have_text(prompt)
    open_job(page, prompt)
    expect(page.locator(".parameters")).to_contain_text(prompt)
    assert raw(page, "Request as sent")["prompt"] == prompt
    assert len(site.sandbox_jobs(prompt)) == 1


def test_an_image_with_an_expired_url_is_loaded_again(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    page = actions.wait_until_live(browse("/"))
    page.wait_for_load_state("networkidle")
    refusal = {"kind": "status", "match": "GET /media/*", "status": 403, "count": 1}
    hold_jobs(sandbox)
    [prompt] = site.start(actions.unique_prompt())
    actions.job(page, prompt).get_by_role("link", name=prompt, exact=True).click()
    actions.wait_until_live(page)
    # A response that is not an image is a failed request: the browser does not report its status.
    failed: list[str] = []
    page.on("requestfailed", lambda request: failed.append(request.url))
    with page.expect_response(lambda response: response.ok and response.url in failed):
        set_faults(sandbox, refusal)  # this also releases the job
        expect(page.locator(".page-header")).to_have_attribute("data-status", "succeeded")
    actions.picture_size(page.get_by_role("img", name=f"Take 1: {prompt}"))
    expect(page.locator("[data-broken]")).to_have_count(0)


def test_an_image_that_cannot_be_loaded_is_reported(
    browse: Opener, site: Site, sandbox: SandboxProcess, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 503")
    # Signed URLs expire too soon to be used, and VideoGen signs no new ones.
    refusal = {"kind": "status", "match": HYDRATES, "status": 500}
    sandbox.control("PUT", "faults", {"faults": [refusal], "urlLifetimeSeconds": 2})
    [prompt] = site.start(actions.unique_prompt())
    page = browse("/")
    actions.wait_until_finished(page, prompt)
    page.clock.install()
    open_job(page, prompt)
    image = page.get_by_role("img", name=f"Take 1: {prompt}")
    for attempt, pause in ((1, 1500), (2, 4000), (3, 10_000)):
        # The page's clock runs as well, so on a slow machine the next attempt may have begun.
        expect(image).to_have_attribute("data-tries", re.compile(f"[{attempt}-3]"))
        page.clock.run_for(pause)
    frame = page.locator("figure.result .result-frame")
    expect(frame).to_have_attribute("data-broken", "The image could not be loaded.")
    page.goto(page.locator("figure.result").get_by_role("link", name="Download").get_attribute("href") or "")
    expect(page.get_by_role("heading", name="Temporarily unavailable")).to_be_visible()
