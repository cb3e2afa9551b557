"""What people do on the pages, and what they look at."""

from __future__ import annotations

import uuid
from typing import Any

from playwright.sync_api import Locator, Page, expect

FINAL = ("succeeded", "failed", "cancelled")

# Notes every status that a job's card takes on, when, and how far it was. Polling for it would miss some.
RECORDER = """() => {
  window.record = []
  const last = new Map()
  const look = () => document.querySelectorAll('.job-card, .finished-job').forEach((card) => {
    const { status } = card.dataset
    const progress = card.querySelector('progress')?.value ?? null
    const title = card.querySelector('.job-card-title, .finished-job-title')?.textContent.trim()
    const what = JSON.stringify([status, progress])
    if (last.get(title) === what) return
    last.set(title, what)
    window.record.push({ title, status, progress, at: Date.now() })
  })
  look()
  new MutationObserver(look).observe(document.body, { childList: true, subtree: true, attributes: true })
}"""

# Plays without sound and hears that time goes on.
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


def words(about: str = "a lighthouse") -> str:
    """A prompt that no other job has."""
    return f"{about} {uuid.uuid4().hex[:10]}"


def live(page: Page) -> Page:
    """The page, as soon as its socket is open and it has fetched what it may have missed: then nothing is replaced under a click."""
    expect(page.locator("body")).to_have_attribute("data-live", "up")
    expect(page.locator(".htmx-request")).to_have_count(0)
    return page


def start(page: Page, prompt: str, *, shape: str = "", takes: int = 1) -> None:
    """Fill the form for pictures and send it."""
    page.get_by_label("Prompt").fill(prompt)
    if shape:
        page.get_by_label(shape, exact=True).check()
    page.get_by_label("Takes").fill(str(takes))
    page.locator("#start").click()


def job(page: Page, prompt: str) -> Locator:
    """Its row of "In flight"."""
    return page.locator(".job-card", has_text=prompt)


def take(page: Page, prompt: str) -> Locator:
    """Its tile of "Just finished"."""
    return page.locator(".finished-job", has_text=prompt)


def row(page: Page, prompt: str) -> Locator:
    """Its row of the history."""
    return page.locator("#rows tr", has_text=prompt)


def ended(page: Page, prompt: str, status: str = "succeeded") -> Locator:
    """Its tile, once it has ended like that; its row in flight is gone by then."""
    tile = take(page, prompt)
    expect(tile).to_have_attribute("data-status", status, timeout=60_000)
    expect(job(page, prompt)).to_have_count(0)
    return tile


def statuses(page: Page, prompt: str) -> list[dict[str, Any]]:
    """What RECORDER saw of a job: each status once, with when it was first seen (ms)."""
    seen: list[dict[str, Any]] = []
    for entry in page.evaluate("window.record"):
        if entry["title"] == prompt and (not seen or seen[-1]["status"] != entry["status"]):
            seen.append(entry)
    return seen


def progress(page: Page, prompt: str) -> list[float]:
    """How far a job was (percent), in the order in which the page showed it."""
    entries = page.evaluate("window.record")
    return [each["progress"] for each in entries if each["title"] == prompt and each["progress"] is not None]


def picture_size(image: Locator) -> tuple[int, int]:
    """Width and height (pixels) of a picture that was really loaded; an exception when it was not."""
    image.scroll_into_view_if_needed()
    width, height = image.evaluate(
        "async (image) => { await image.decode(); return [image.naturalWidth, image.naturalHeight] }"
    )
    assert width > 0
    assert height > 0
    return width, height


def play(player: Locator) -> float:
    """Play it for a moment: its duration in seconds."""
    return player.evaluate(PLAY)


def stays(page: Page) -> None:
    """Mark the document: `stayed` tells whether it is still the same one."""
    page.evaluate("window.sameDocument = true")


def stayed(page: Page) -> bool:
    return page.evaluate("window.sameDocument === true")
