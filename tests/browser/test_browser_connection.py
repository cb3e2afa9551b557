"""Cut and blocked sockets, and server restarts: pages are current again within seconds, without duplicates."""

from __future__ import annotations

import pytest
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.browser import actions
from tests.browser.conftest import BrowserErrors, Opener
from tests.browser.proxy import Proxy
from tests.browser.site import Site, hold_jobs, release_jobs
from tests.conftest import SandboxProcess

INTERRUPTED = "Live updates are disconnected. Refreshing every few seconds."
UNREACHABLE = "Cannot reach Rushes. This page may be out of date."
# The messages of the browser and of htmx's websocket extension.
SOCKET_FAILED = r"WebSocket connection to .* failed|\[object Event\]"


def tab(beside: Page, path: str) -> Page:
    page = beside.context.new_page()
    page.goto(path)
    return page


def shown_once(page: Page, *prompts: str, status: str = "succeeded") -> None:
    """Expect that the page shows each of these jobs exactly once, in this status."""
    for prompt in prompts:
        shown = page.locator(".job-card, .finished-job, #rows tr").filter(has_text=prompt)
        expect(shown).to_have_attribute("data-status", status, timeout=60_000)
        expect(shown).to_have_count(1)


def test_a_page_catches_up_after_its_socket_was_cut(
    proxy: Proxy, browse: Opener, site: Site, sandbox: SandboxProcess, browser_errors: BrowserErrors
) -> None:
    """Ten jobs change while no page can be reached."""
    browser_errors.expected.append(SOCKET_FAILED)
    hold_jobs(sandbox)
    studio = actions.wait_until_live(browse("/", base=proxy.url))
    history = actions.wait_until_live(tab(studio, "/executions/"))
    [running] = site.start(actions.unique_prompt())
    expect(actions.job(studio, running)).to_be_visible()
    for page in (studio, history):
        actions.mark_document(page)
    # Pages cannot poll either, as on a laptop that sleeps.
    studio.context.route("**/*", lambda route: route.abort())
    browser_errors.expected.append("Failed to load resource|ERR_FAILED|htmx:(sendError|afterRequest)")
    proxy.block_sockets()

    new = site.start(*(actions.unique_prompt() for _ in range(9)))
    release_jobs(sandbox)
    observer = actions.wait_until_live(browse("/"))
    for prompt in (running, *new):
        actions.wait_until_finished(observer, prompt)
    for page in (studio, history):
        expect(page.locator("body")).not_to_have_attribute("data-live", "up")
    expect(studio.locator(".finished-job").filter(has_text=new[-1])).to_have_count(0)

    studio.context.unroute("**/*")
    proxy.allow_sockets()
    shown_once(studio, running, *new)
    # The history does not move its rows; it shows how many jobs are new.
    new_jobs = history.get_by_role("link", name="10 new at the top")
    expect(new_jobs).to_be_visible()
    for page in (studio, history):
        actions.wait_until_live(page)
        assert actions.is_same_document(page)
    new_jobs.click()
    shown_once(history, running, *new)
    expect(studio.locator(".job-card")).to_have_count(0)


@pytest.mark.slow
def test_pages_poll_behind_a_proxy_that_blocks_sockets(
    proxy: Proxy, browse: Opener, browser_errors: BrowserErrors, sandbox: SandboxProcess
) -> None:
    browser_errors.expected.append(SOCKET_FAILED)
    hold_jobs(sandbox)
    proxy.block_sockets()
    page = browse("/", base=proxy.url)
    actions.mark_document(page)
    expect(page.get_by_text(INTERRUPTED)).to_be_visible()
    prompt = actions.unique_prompt()
    actions.start(page, prompt)
    expect(actions.job(page, prompt)).to_be_visible()
    release_jobs(sandbox)
    image = actions.wait_until_finished(page, prompt).locator("img")
    actions.picture_size(image)
    shown_once(page, prompt)
    assert actions.is_same_document(page)


def test_a_change_during_a_poll_is_shown_after_the_socket_opens(
    proxy: Proxy, browse: Opener, site: Site, sandbox: SandboxProcess, browser_errors: BrowserErrors
) -> None:
    """The response to the poll is older than the change, and arrives after the socket has opened."""
    browser_errors.expected.append(SOCKET_FAILED)
    hold_jobs(sandbox)
    [prompt] = site.start(actions.unique_prompt())
    studio = actions.wait_until_live(browse("/"))
    link = actions.job(studio, prompt).get_by_role("link", name=prompt, exact=True)
    job_page = actions.wait_until_live(browse(str(link.get_attribute("href")), base=proxy.url))
    header = job_page.locator(".page-header")
    expect(header).to_have_attribute("data-status", "running")

    held: list[Route] = []
    responses: list[APIResponse] = []

    def hold_response(route: Route) -> None:
        if held:
            route.continue_()
            return
        held.append(route)
        responses.append(route.fetch())
        job_page.evaluate("document.body.dataset.held = true")

    job_page.route(job_page.url, hold_response)
    proxy.block_sockets()
    expect(job_page.locator("body[data-held]")).to_be_attached()
    release_jobs(sandbox)
    actions.wait_until_finished(studio, prompt)
    proxy.allow_sockets()
    expect(job_page.locator("body")).to_have_attribute("data-live", "up")
    held[0].fulfill(response=responses[0])

    expect(header).to_have_attribute("data-status", "succeeded")


@pytest.mark.slow
def test_open_pages_survive_a_restart_of_the_server(
    browse: Opener, site: Site, sandbox: SandboxProcess, browser_errors: BrowserErrors
) -> None:
    """The server stops cleanly; pages say that it is unreachable, reconnect, and the job finishes."""
    browser_errors.expected += [SOCKET_FAILED, "ERR_CONNECTION_REFUSED", "htmx:(sendError|afterRequest)"]
    hold_jobs(sandbox)
    studio = actions.wait_until_live(browse("/"))
    prompt = actions.unique_prompt()
    actions.start(studio, prompt)
    expect(actions.job(studio, prompt)).to_have_attribute("data-status", "running")
    url = actions.job(studio, prompt).get_by_role("link", name=prompt, exact=True).get_attribute("href")
    history, job_page = (
        actions.wait_until_live(tab(studio, "/executions/")),
        actions.wait_until_live(tab(studio, str(url))),
    )
    for page in (studio, history, job_page):
        actions.mark_document(page)

    site.stop()
    expect(job_page.get_by_text(UNREACHABLE)).to_be_visible()
    site.restart()
    for page in (studio, history, job_page):
        actions.wait_until_live(page)
        expect(page.get_by_text(UNREACHABLE)).to_be_hidden()

    # The restarted sandbox starts the job from the beginning, with its normal duration.
    shown_once(studio, prompt)
    shown_once(history, prompt)
    expect(job_page.locator(".page-header")).to_have_attribute("data-status", "succeeded")
    actions.picture_size(job_page.get_by_role("img", name=f"Take 1: {prompt}"))
    assert len(site.sandbox_jobs(prompt)) == 1
    for page in (studio, history, job_page):
        assert actions.is_same_document(page)
