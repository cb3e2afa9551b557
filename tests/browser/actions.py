"""Actions on pages, and locators of what pages show."""

from __future__ import annotations

from itertools import groupby

from playwright.sync_api import Locator, Page, expect

from tests.factories.forms import unique_prompt as unique_prompt

FINAL = ("succeeded", "failed", "cancelled")

# Records every status of a job's card, with the progress. Polling would miss some.
RECORDER = """() => {
  window.recorded = []
  const last = new Map()
  const record = () => document.querySelectorAll('.job-card, .finished-job').forEach((card) => {
    const { status } = card.dataset
    const progress = card.querySelector('progress')?.value ?? null
    const title = card.querySelector('.job-card-title, .finished-job-title')?.textContent.trim()
    const state = JSON.stringify([status, progress])
    if (last.get(title) === state) return
    last.set(title, state)
    window.recorded.push({ title, status, progress })
  })
  record()
  new MutationObserver(record).observe(document.body, { childList: true, subtree: true, attributes: true })
}"""

# Plays muted until the time advances.
PLAY = """async (player) => {
  player.muted = true
  const moving = new Promise((resolve, reject) => {
    player.ontimeupdate = () => { if (player.currentTime > 0) resolve() }
    player.onerror = () => reject(player.error)
  })
  await player.play()
  await moving
  player.pause()
  return player.duration
}"""


def wait_until_live(page: Page) -> Page:
    """Wait until the socket is open and missed updates are fetched, so that nothing is replaced during a click."""
    expect(page.locator("body")).to_have_attribute("data-live", "up")
    expect(page.locator(".htmx-request")).to_have_count(0)
    return page


def start(page: Page, prompt: str, *, shape: str = "", takes: int = 1) -> None:
    """Fill in the image form and submit it."""
    page.get_by_label("Prompt").fill(prompt)
    if shape:
        page.get_by_label(shape, exact=True).check()
    page.get_by_label("Takes").fill(str(takes))
    page.locator("#start").click()


def job(page: Page, prompt: str) -> Locator:
    """The job's card under "In flight"."""
    return page.locator(".job-card", has_text=prompt)


def finished_job(page: Page, prompt: str) -> Locator:
    """The job's tile under "Just finished"."""
    return page.locator(".finished-job", has_text=prompt)


def row(page: Page, prompt: str) -> Locator:
    """The job's row in the history."""
    return page.locator("#rows tr", has_text=prompt)


def wait_until_finished(page: Page, prompt: str, status: str = "succeeded") -> Locator:
    """The job's tile, once it has this final status; its card under "In flight" is gone by then."""
    tile = finished_job(page, prompt)
    expect(tile).to_have_attribute("data-status", status, timeout=60_000)
    expect(job(page, prompt)).to_have_count(0)
    return tile


def statuses(page: Page, prompt: str) -> list[str]:
    """The job's statuses, in the order in which the page showed them."""
    entries = page.evaluate("window.recorded")
    return [status for status, _ in groupby(each["status"] for each in entries if each["title"] == prompt)]


def progress(page: Page, prompt: str) -> list[float]:
    """The job's progress (percent), in the order in which the page showed it."""
    entries = page.evaluate("window.recorded")
    return [each["progress"] for each in entries if each["title"] == prompt and each["progress"] is not None]


def picture_size(image: Locator) -> tuple[int, int]:
    """Width and height (pixels) of a loaded image. Raises if it does not load."""
    image.scroll_into_view_if_needed()
    width, height = image.evaluate(
        "async (image) => { await image.decode(); return [image.naturalWidth, image.naturalHeight] }"
    )
    assert width > 0
    assert height > 0
    return width, height


def play(player: Locator) -> float:
    """Play the media for a moment; its duration in seconds."""
    return player.evaluate(PLAY)


def mark_document(page: Page) -> None:
    """Mark the document, so that `is_same_document` can tell whether the page was reloaded."""
    page.evaluate("window.sameDocument = true")


def is_same_document(page: Page) -> bool:
    return page.evaluate("window.sameDocument === true")
