"""Copies of files: requested, watched and compared with the download; and the switch for every file."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import actions
from tests.browser.actions import start, unique_prompt, wait_until_live
from tests.browser.conftest import PHONE, Opener

pytestmark = pytest.mark.browser


def test_an_image_is_copied_and_downloaded(browse: Opener) -> None:
    page, prompt = wait_until_live(browse("/")), unique_prompt("a copied pier")
    start(page, prompt)
    actions.wait_until_finished(page, prompt)
    page.goto("/files/")
    page.get_by_role("link", name=prompt).click()
    page.get_by_role("button", name="Store a copy").click()
    copy = page.locator("#copy")
    expect(copy.get_by_text("stored", exact=True)).to_be_visible(timeout=60_000)
    sha256 = copy.locator("code").inner_text()
    assert re.fullmatch("[0-9a-f]{64}", sha256)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    saved = download.value
    assert prompt.split()[-1] in saved.suggested_filename
    assert hashlib.sha256(Path(saved.path()).read_bytes()).hexdigest() == sha256
    page.goto("/files/")
    tile = page.locator(".file-tile", has_text=prompt)
    expect(tile.get_by_text("Copied to Rushes")).to_be_attached()


def test_admins_can_turn_on_copies_of_every_file_on_a_phone(browse: Opener) -> None:
    page = browse("/files/copies/", name="admin", viewport=PHONE)
    switch = page.get_by_role("switch", name="Copy every file")
    try:
        switch.check()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        expect(switch).to_be_checked()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing overflows"
    finally:
        switch.uncheck()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("Saved.")).to_be_visible()
