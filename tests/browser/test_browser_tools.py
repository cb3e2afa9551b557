"""Each tool from its form to a visible result, and the pickers of the forms."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from tests.browser.actions import picture_size, play, start, unique_prompt, wait_until_live
from tests.browser.conftest import Opener
from tests.browser.site import Site

pytestmark = pytest.mark.browser

# Creates a file in the page and drops it on an element.
DROP = """(field, { name, bytes }) => {
  const data = new DataTransfer()
  data.items.add(new File([new Uint8Array(bytes)], name, { type: 'image/png' }))
  for (const type of ['dragover', 'drop']) {
    field.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }))
  }
}"""


def wait_until_finished(page: Page, title: str) -> Locator:
    """The tile of the job with this title, once it has succeeded."""
    tile = page.locator(".finished-job", has_text=title).first
    expect(tile).to_have_attribute("data-status", "succeeded", timeout=150_000)
    return tile


def use_in(page: Page, tile: Locator, tool: str) -> None:
    """Open the form of another tool from a result, and expect the file as its input."""
    tile.hover()
    tile.get_by_role("button", name="Use it in another tool").click()
    page.locator(".menu:popover-open").get_by_role("link", name=tool, exact=True).click()
    expect(page.locator("#composer .tool-field-options input:checked")).to_have_count(1)


def test_tools_that_use_an_image(browse: Opener) -> None:
    page, prompt = wait_until_live(browse("/")), unique_prompt("a pier")
    start(page, prompt)
    tile = wait_until_finished(page, prompt)
    assert picture_size(tile.locator("img"))[0] > 0
    for tool, title in (
        ("Upscale", "Upscale"),
        ("Vectorize", "Vectorize"),
        ("Remove background", "Remove background from"),
    ):
        use_in(
            page, page.locator(".finished-job", has=page.get_by_role("link", name=prompt, exact=True)), tool
        )
        page.locator("#start").click()
        width, _ = picture_size(wait_until_finished(page, f"{title} “{prompt}”").locator("img"))
        assert width > 0


@pytest.mark.slow
def test_tools_that_use_a_video(browse: Opener) -> None:
    page, prompt = wait_until_live(browse("/tools/generate-video-clip/")), unique_prompt("waves")
    page.get_by_label("Prompt").fill(prompt)
    page.locator("#start").click()
    assert play(wait_until_finished(page, prompt).locator("video")) > 1
    for tool, title in (("Upscale video", "Upscale"), ("Remove video background", "Remove background from")):
        use_in(
            page, page.locator(".finished-job", has=page.get_by_role("link", name=prompt, exact=True)), tool
        )
        page.locator("#start").click()
        assert play(wait_until_finished(page, f"{title} “{prompt}”").locator("video")) > 1


def test_a_sound_effect_can_be_played(browse: Opener) -> None:
    page, prompt = wait_until_live(browse("/tools/generate-sound-effect/")), unique_prompt("a fog horn")
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.get_by_label("Length").fill("2")
    page.locator("#start").click()
    assert play(wait_until_finished(page, prompt).locator("audio")) == pytest.approx(2, abs=0.3)


def test_an_avatar_speaks_a_script(browse: Opener) -> None:
    page, script = wait_until_live(browse("/tools/generate-avatar/")), unique_prompt("Good evening")
    page.locator(".tool-field-face input").first.check()
    page.get_by_label("Type a script").fill(script)
    page.locator("#start").click()
    expect(page.locator(".job-card, .finished-job", has_text=script)).to_have_count(2)
    assert play(wait_until_finished(page, f"Avatar: “{script}").locator("video")) > 0.5
    assert play(page.locator(".finished-job[data-media=audio]", has_text=script).locator("audio")) > 0.5


def test_a_voice_can_be_searched_played_and_used(browse: Opener) -> None:
    page, script = wait_until_live(browse("/tools/text-to-speech/")), unique_prompt("The tide leaves")
    page.locator(".tool-field-voices > summary").click()
    all_of_them = page.locator(".tool-field-voice:visible").count()
    page.get_by_label("Search voices").fill("british")
    expect(page.locator(".tool-field-voice:visible")).not_to_have_count(all_of_them)
    first = page.locator(".tool-field-voice:visible").first
    first.get_by_role("button").click()
    expect(first.locator("[data-state=playing]")).to_be_visible()
    first.get_by_role("radio").check()
    name = first.locator(".tool-field-name").inner_text()
    expect(page.locator("[data-chosen]")).to_have_text(name)
    page.get_by_label("Script").fill(script)
    page.locator("#more > summary").click()
    page.get_by_label("Written").first.fill("tide")
    page.get_by_label("Spoken").first.fill("tyde")
    page.locator("#start").click()
    tile = wait_until_finished(page, script)
    tile.locator(".finished-job-title a").click()
    expect(page.locator(".parameters")).to_contain_text("tide = tyde")


def test_an_image_dropped_on_a_form_is_uploaded(browse: Opener) -> None:
    page, name = (
        wait_until_live(browse("/tools/vectorize-image/")),
        f"{unique_prompt('dropped').replace(' ', '-')}.png",
    )
    image = io.BytesIO()
    Image.effect_mandelbrot((320, 200), (-2, -1.2, 0.7, 1.2), 60).save(image, "PNG")
    field = page.locator("#composer [data-files]")
    field.evaluate(DROP, {"name": name, "bytes": list(image.getvalue())})
    chosen = field.locator(".tool-field-option:has(:checked)")
    expect(chosen).to_contain_text(name)
    page.locator("#start").click()
    assert picture_size(wait_until_finished(page, f"Vectorize “{name}”").locator("img"))[0] > 0


def test_the_library_can_be_searched_from_the_form(browse: Opener, site: Site) -> None:
    page, prompt = wait_until_live(browse("/")), unique_prompt("a red coat")
    start(page, prompt)
    wait_until_finished(page, prompt)
    page.goto(f"{site.url}/tools/upscale-image/")
    page.get_by_role("button", name="Library").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Search by name").fill(prompt)
    expect(dialog.locator(".tool-field-option")).to_have_count(1)
    dialog.locator(".tool-field-option input").check()
    expect(dialog).to_be_hidden()
    expect(page.locator("#composer .tool-field-option:has(:checked)")).to_contain_text(
        re.compile(prompt, re.IGNORECASE)
    )


def test_an_earlier_identical_job_is_reported_and_can_be_repeated(browse: Opener) -> None:
    page, prompt = wait_until_live(browse("/")), unique_prompt("dunes")
    start(page, prompt)
    wait_until_finished(page, prompt)
    page.get_by_label("Prompt").fill(f"{prompt} ")
    page.get_by_label("Prompt").fill(prompt)
    expect(page.locator("#before")).to_contain_text("Made before by you")
    page.locator("#start").click()
    expect(page.locator(".finished-job", has_text=prompt)).to_have_count(2)
    page.locator(".finished-job", has_text=prompt).first.locator(".finished-job-title a").click()
    before = page.url
    page.get_by_role("button", name="Run again").click()
    page.wait_for_url(re.compile(r"/executions/(?!" + before.rstrip("/").rsplit("/", 1)[1] + ")"))
    page.get_by_role("link", name="Edit and run").click()
    expect(page.get_by_label("Prompt")).to_have_value(prompt)
