"""Batches: twenty CSV rows with an invalid one, corrected, undone, started, watched and downloaded."""

from __future__ import annotations

import re
import zipfile

import pytest
from playwright.sync_api import expect

from tests.browser.actions import unique_prompt, wait_until_live
from tests.browser.conftest import PHONE, BrowserErrors, Opener
from tests.browser.site import hold_jobs
from tests.conftest import SandboxProcess

pytestmark = pytest.mark.browser


# The left edges of the visible headings, and of the visible cells of the first row.
COLUMNS = """() => ['thead tr', '#rows tr'].map((row) =>
  [...document.querySelector(row).cells].filter((cell) => cell.offsetWidth).map((cell) => cell.offsetLeft))"""


def table(prompt: str, takes: str = "1") -> str:
    rows = [f"{prompt} {number},{takes if number == 7 else 1}" for number in range(1, 21)]
    return "prompt,numResults\n" + "\n".join(rows)


@pytest.mark.slow
def test_a_csv_batch_is_corrected_undone_started_and_downloaded(
    browse: Opener, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 422")
    prompt = unique_prompt()
    page = browse("/batches/new/?way=table&tool=generate-image", name="member")
    page.get_by_label("CSV file").set_input_files(
        {"name": "coast.csv", "mimeType": "text/csv", "buffer": table(prompt, "900").encode()}
    )
    page.get_by_role("button", name="Review").click()

    expect(page.locator("#problems")).to_contain_text("Row 8")
    expect(page.locator("#problems")).to_be_focused()
    rows = page.get_by_label("Or enter it here")
    expect(rows).to_have_value(re.compile("900"))
    rows.fill(table(prompt))
    page.locator("#start").click()

    expect(page.get_by_text("20 rows, all valid.")).to_be_visible()
    page.get_by_role("button", name="Start 20 jobs").click()
    wait_until_live(page)
    expect(page.locator("time[data-until]")).to_have_text(re.compile(r"in \d s"))
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("No job ran")).to_be_visible()

    page.get_by_role("button", name="Start again").click()
    page.get_by_role("button", name="Start 20 jobs").click()
    wait_until_live(page)
    expect(page.get_by_role("button", name="Undo")).to_be_hidden()
    expect(page.locator(".batch-header .facts")).to_contain_text("20 of 20 finished", timeout=120_000)
    expect(page.locator("#rows tr[data-status=succeeded]")).to_have_count(20)
    for column, (heading, cell) in enumerate(zip(*page.evaluate(COLUMNS), strict=True)):
        assert heading == cell, f"column {column} and its heading are not aligned"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download all 20 as ZIP").click()
    with zipfile.ZipFile(download.value.path()) as archived:
        assert archived.testzip() is None
        assert len(archived.namelist()) == 20


def test_the_studio_shows_another_persons_batch_as_one_card(browse: Opener, sandbox: SandboxProcess) -> None:
    hold_jobs(sandbox)
    prompt = unique_prompt("a pier")
    studio = wait_until_live(browse("/", name="admin"))
    page = browse("/batches/new/", name="member", viewport=PHONE)
    page.get_by_label("One prompt per line").fill("\n".join(f"{prompt} {number}" for number in range(1, 31)))
    page.get_by_label("Batch name").fill(prompt)
    page.locator("#start").click()
    page.get_by_role("button", name="Start 30 jobs").click()

    line = studio.locator("#flight .batch-card", has_text=prompt)
    expect(line).to_contain_text("0 of 30 finished")
    expect(studio.locator("#flight .job-card:not(.batch-card)", has_text=prompt)).to_have_count(0)
    line.get_by_role("link").click()
    studio.get_by_role("button", name="Cancel all").click()
    studio.get_by_role("button", name=re.compile("Cancel th")).click()
    expect(studio.get_by_role("heading", name="Cancellation report")).to_be_visible()
    expect(page.locator(".batch-header .facts")).to_contain_text("30 of 30 finished", timeout=60_000)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing overflows on a phone"
