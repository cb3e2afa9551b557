"""Pages whose connection is cut, blocked, or whose server restarts: right again within seconds, nothing doubled."""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect

from tests.browser import acts
from tests.browser.conftest import Complaints, Opener
from tests.browser.gate import Gate
from tests.browser.site import Site, order
from tests.conftest import SandboxProcess

INTERRUPTED = "Live updates are disconnected. Refreshing every few seconds."
OUT_OF_REACH = "Cannot reach Rushes. This page may be out of date."
# The browser's own line, and that of htmx's extension.
SOCKET_FAILED = r"WebSocket connection to .* failed|\[object Event\]"


def tab(beside: Page, path: str) -> Page:
    page = beside.context.new_page()
    page.goto(path)
    return page


def once(page: Page, *prompts: str, status: str = "succeeded", within: float = 10) -> None:
    """The page shows each of these jobs, in this status, exactly once."""
    deadline = time.monotonic() + within
    for prompt in prompts:
        shown = page.locator(".job-card, .finished-job, #rows tr").filter(has_text=prompt)
        left = max(100, (deadline - time.monotonic()) * 1000)
        expect(shown).to_have_attribute("data-status", status, timeout=left)
        expect(shown).to_have_count(1)


def test_a_cut_socket_catches_up(
    browse: Opener, site: Site, sandbox: SandboxProcess, gate: Gate, complaints: Complaints
) -> None:
    """Ten jobs change while nothing can be pushed."""
    complaints.expected.append(SOCKET_FAILED)
    order(sandbox, {"kind": "job", "seconds": 4, "count": 1})
    studio = acts.live(browse("/", base=gate.url))
    history = acts.live(tab(studio, "/executions/"))
    [under_way] = site.start(acts.words())
    expect(acts.job(studio, under_way)).to_be_visible()
    for page in (studio, history):
        acts.stays(page)
    # No page asks by itself either: they are as blind as a laptop that is asleep.
    studio.context.route("**/*", lambda route: route.abort())
    complaints.expected.append("Failed to load resource|ERR_FAILED|htmx:(sendError|afterRequest)")
    gate.refuse_sockets()

    fresh = site.start(*(acts.words() for _ in range(9)))
    observer = acts.live(browse("/"))
    for prompt in (under_way, *fresh):
        acts.ended(observer, prompt)
    for page in (studio, history):
        expect(page.locator("body")).not_to_have_attribute("data-live", "up")
    expect(studio.locator(".finished-job").filter(has_text=fresh[-1])).to_have_count(0)

    studio.context.unroute("**/*")
    gate.let_sockets()
    once(studio, under_way, *fresh, within=5)
    # The history does not move what one is reading: it says how many there are.
    arrived = history.get_by_role("link", name="10 new at the top")
    expect(arrived).to_be_visible(timeout=5000)
    for page in (studio, history):
        acts.live(page)
        assert acts.stayed(page)
    arrived.click()
    once(history, under_way, *fresh)
    expect(studio.locator(".job-card")).to_have_count(0)


def test_behind_a_proxy_that_blocks_sockets_pages_ask(
    browse: Opener, gate: Gate, complaints: Complaints
) -> None:
    complaints.expected.append(SOCKET_FAILED)
    gate.refuse_sockets()
    page = browse("/", base=gate.url)
    acts.stays(page)
    expect(page.get_by_text(INTERRUPTED)).to_be_visible()
    prompt = acts.words()
    acts.start(page, prompt)
    expect(acts.job(page, prompt)).to_be_visible()
    image = acts.ended(page, prompt).locator("img")
    acts.picture_size(image)
    once(page, prompt)
    assert acts.stayed(page)


def test_a_restart_of_the_server_is_survived_by_open_pages(
    browse: Opener, site: Site, sandbox: SandboxProcess, complaints: Complaints
) -> None:
    """It ends cleanly; pages say that it is gone, come back by themselves, and the job ends."""
    complaints.expected += [SOCKET_FAILED, "ERR_CONNECTION_REFUSED", "htmx:(sendError|afterRequest)"]
    order(sandbox, {"kind": "job", "seconds": 60})
    studio = acts.live(browse("/"))
    prompt = acts.words()
    acts.start(studio, prompt)
    expect(acts.job(studio, prompt)).to_have_attribute("data-status", "running")
    address = acts.job(studio, prompt).get_by_role("link", name=prompt, exact=True).get_attribute("href")
    history, page_of_it = acts.live(tab(studio, "/executions/")), acts.live(tab(studio, str(address)))
    for page in (studio, history, page_of_it):
        acts.stays(page)

    site.stop()
    expect(page_of_it.get_by_text(OUT_OF_REACH)).to_be_visible(timeout=15_000)
    site.start_again()
    for page in (studio, history, page_of_it):
        acts.live(page)
        expect(page.get_by_text(OUT_OF_REACH)).to_be_hidden()

    # The sandbox has forgotten how long the job should take, and begins it anew.
    once(studio, prompt, within=120)
    once(history, prompt)
    expect(page_of_it.locator(".page-header")).to_have_attribute("data-status", "succeeded")
    acts.picture_size(page_of_it.get_by_role("img", name=f"Take 1: {prompt}"))
    assert len(site.truth(prompt)) == 1
    for page in (studio, history, page_of_it):
        assert acts.stayed(page)
