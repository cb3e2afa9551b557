"""A copy is asked for, watched, and there; a download is saved; without JavaScript too."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import acts
from tests.browser.acts import live, start, words
from tests.browser.conftest import PHONE, Opener

pytestmark = pytest.mark.browser


def test_a_picture_is_kept_and_saved(browse: Opener) -> None:
    page, prompt = live(browse("/")), words("a kept pier")
    start(page, prompt)
    acts.ended(page, prompt)
    page.goto("/files/")
    page.get_by_role("link", name=prompt).click()
    page.get_by_role("button", name="Keep a copy").click()
    copy = page.locator("#copy")
    expect(copy.get_by_text("stored", exact=True)).to_be_visible(timeout=60_000)
    sha256 = copy.locator("code").inner_text()
    assert re.fullmatch("[0-9a-f]{64}", sha256)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download").click()
    saved = waiting.value
    assert prompt.split()[-1] in saved.suggested_filename
    assert hashlib.sha256(Path(saved.path()).read_bytes()).hexdigest() == sha256
    page.goto("/files/")
    tile = page.locator(".file-tile", has_text=prompt)
    expect(tile.get_by_text("Copied to Rushes")).to_be_attached()


def test_admins_choose_on_a_phone_that_every_file_is_kept(browse: Opener) -> None:
    page = browse("/files/copies/", name="admin", viewport=PHONE)
    switch = page.get_by_role("switch", name="Copy every file")
    try:
        switch.check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        expect(switch).to_be_checked()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    finally:
        switch.uncheck()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
