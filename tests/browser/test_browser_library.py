"""The library: uploads, paging while scrolling, zoom, selections, public previews, and expired URLs."""

from __future__ import annotations

import base64
import io
import uuid
import wave
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import PHONE, BrowserErrors, Opener
from tests.browser.site import Site, set_faults
from tests.conftest import SandboxProcess
from tests.executions.files.media import png
from tests.waiting import eventually

PUT = "PUT /incoming/*"
# Drops files on the page, or pastes them.
ADD_FILES = """([kind, files]) => {
  const transfer = new DataTransfer()
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0))
    transfer.items.add(new File([bytes], name))
  }
  const target = document.getElementById('upload')
  const options = { bubbles: true, cancelable: true }
  target.dispatchEvent(kind === 'paste'
    ? new ClipboardEvent('paste', { ...options, clipboardData: transfer })
    : new DragEvent('drop', { ...options, dataTransfer: transfer }))
}"""


def unique_name(ending: str = "png") -> str:
    """A unique file name."""
    return f"pier {uuid.uuid4().hex[:10]}.{ending}"


def payload(file_name: str, body: bytes) -> FilePayload:
    return {"name": file_name, "mimeType": "application/octet-stream", "buffer": body}


def long_sound(seconds: int) -> bytes:
    """A WAV file, large enough that a browser does not load all of it at once."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(44100)
        sound.writeframes(b"\0\x08\0\x08" * 44100 * seconds)
    return buffer.getvalue()


def row(page: Page, file_name: str) -> Locator:
    return page.locator(".upload", has_text=file_name)


def choose(page: Page, *files: FilePayload) -> None:
    page.locator("#files").set_input_files(list(files))


def wait_until_ready(page: Page, file_name: str) -> None:
    expect(row(page, file_name)).to_have_attribute("data-state", "ready")


def upload_and_open(page: Page, file_name: str, body: bytes | Path) -> Page:
    """Upload a file and open its page."""
    page.goto("/files/upload/")
    page.locator("#files").set_input_files(body if isinstance(body, Path) else payload(file_name, body))
    wait_until_ready(page, file_name)
    row(page, file_name).get_by_role("link", name="Open").click()
    expect(page.get_by_role("heading", name=file_name)).to_be_visible()
    page.wait_for_load_state()  # without its scripts, a click would follow links
    return page


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_several_files_can_be_uploaded_at_once(kind: str, browse: Opener) -> None:
    page = browse("/files/upload/")
    names = [unique_name() for _ in range(5)]
    page.evaluate(ADD_FILES, [kind, [(each, base64.b64encode(png()).decode()) for each in names]])
    for each in names:
        wait_until_ready(page, each)
        expect(row(page, each)).to_contain_text("in the library")
    page.goto("/files/")
    for each in names:
        expect(page.locator(".file-tile", has_text=each)).to_be_visible()


def test_the_progress_bar_follows_the_upload(browse: Opener) -> None:
    page = browse("/files/upload/")
    # 400 kB/s, so that the upload of 1 MB can be watched.
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000},
    )
    page.evaluate(
        """() => {
          window.recorded = []
          new MutationObserver(() => document.querySelectorAll('.upload').forEach((row) => {
            window.recorded.push([row.dataset.state, row.querySelector('progress').getAttribute('value')])
          })).observe(document.getElementById('uploads'), { childList: true, subtree: true, attributes: true })
        }"""
    )
    file_name = unique_name()
    choose(page, payload(file_name, png(padding=1_000_000)))
    wait_until_ready(page, file_name)
    seen: list[list[Any]] = page.evaluate("window.recorded")
    values = [int(value) for state, value in seen if state == "sending" and value]
    assert values == sorted(values)
    assert len({value for value in values if 0 < value < 100}) >= 2, values
    order_of = list(dict.fromkeys(state for state, _ in seen))
    assert order_of == ["sending", "forwarding", "processing", "ready"]


def test_a_cancelled_upload_can_be_tried_again(
    browse: Opener, sandbox: SandboxProcess, browser_errors: BrowserErrors
) -> None:
    page = browse("/files/upload/")
    set_faults(sandbox, {"kind": "slow", "seconds": 30, "match": PUT, "count": 1})
    file_name = unique_name()
    choose(page, payload(file_name, png()))
    expect(row(page, file_name)).to_contain_text("sending to VideoGen")
    eventually(lambda: sandbox.control("GET", "faults")["faults"] == [])
    row(page, file_name).get_by_role("button", name="Cancel").click()
    expect(row(page, file_name)).to_contain_text("cancelled")
    row(page, file_name).get_by_role("button", name="Try again").click()
    wait_until_ready(page, file_name)
    page.goto("/files/")
    expect(page.locator(".file-tile", has_text=file_name)).to_have_count(1)


def test_an_invalid_file_is_refused_before_upload_and_others_continue(
    browse: Opener, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("415")
    page = browse("/files/upload/")
    wrong, right = unique_name(), unique_name()
    choose(page, payload(wrong, b"<html>" + b"x" * 5_000_000), payload(right, png()))
    expect(row(page, wrong)).to_contain_text("VideoGen does not accept this type of file")
    expect(row(page, wrong).get_by_role("button", name="Try again")).to_be_visible()
    wait_until_ready(page, right)


def test_an_upload_that_videogen_refuses_is_reported(
    browse: Opener, sandbox: SandboxProcess, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("502")
    page = browse("/files/upload/")
    set_faults(sandbox, {"kind": "expired", "match": PUT})
    file_name = unique_name()
    choose(page, payload(file_name, png()))
    expect(row(page, file_name)).to_contain_text("has expired")
    set_faults(sandbox)
    row(page, file_name).get_by_role("button", name="Try again").click()
    wait_until_ready(page, file_name)


def test_an_image_can_be_zoomed_and_closed(browse: Opener) -> None:
    page = upload_and_open(browse(), unique_name(), png(2400, 1800))
    page.locator("#zoom").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    dialog.locator("img").click()
    expect(dialog).to_have_attribute("data-full", "")
    box = dialog.locator("img").bounding_box()
    assert box is not None
    assert box["width"] == 2400
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(page.locator("#zoom")).to_be_focused()


def test_the_library_loads_more_files_while_scrolling(browse: Opener, site: Site) -> None:
    mark = _create_files(site, 120)
    page = browse(f"/files/?q={mark}", viewport=PHONE)
    tiles = page.locator(".file-tile")
    expect(tiles).to_have_count(48)
    page.locator(".file-tile-older").scroll_into_view_if_needed()
    expect(tiles).to_have_count(96)
    page.locator(".file-tile-older").scroll_into_view_if_needed()
    expect(tiles).to_have_count(120)
    expect(page.locator(".file-tile-older")).to_have_count(0)
    names = tiles.locator(".file-tile-title").all_inner_texts()
    assert names == [f"{mark} {number:03}" for number in reversed(range(120))]
    # Without JavaScript it is a link.
    plain = browse(f"/files/?q={mark}", java_script_enabled=False)
    plain.get_by_role("link", name="Older").click()
    expect(plain.locator(".file-tile").first).to_contain_text(f"{mark} 071")


def _create_files(site: Site, count: int) -> str:
    """Create files that no job uses, with names that begin with the returned mark."""
    mark = uuid.uuid4().hex[:8]
    site.manage(
        "from executions.models import File\n"
        f"for n in range({count}): File.objects.create(remote_id=f'vg_file_{mark}_{{n:024}}', type='AUDIO', "
        f"display_name=f'{mark} {{n:03}}', scope='GLOBAL')"
    )
    return mark


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_selection_bar_fits_on_a_phone(theme: str, browse: Opener, site: Site) -> None:
    page = browse(f"/files/?q={_create_files(site, 3)}", viewport=PHONE, color_scheme=theme)
    for box in page.locator(".file-tile-pick input").all():
        box.check()
    bar = page.locator("#chosen")
    expect(bar.get_by_role("status")).to_have_text("3 selected", use_inner_text=True)
    parts = bar.locator("p, button")
    expect(parts).to_have_count(4)
    for part in parts.all():
        expect(part).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize(
    ("button", "message"),
    [("Store copies", "400 of these files will be copied."), ("Run a tool on these", "(400 selected)")],
)
def test_more_files_than_fit_into_a_url_can_be_selected(
    button: str, message: str, browse: Opener, site: Site
) -> None:
    page = browse(f"/files/?q={_create_files(site, 400)}")
    tiles = page.locator(".file-tile")
    for count in (*range(48, 400, 48), 400):
        expect(tiles).to_have_count(count)
        if count < 400:
            page.locator(".file-tile-older").scroll_into_view_if_needed()
    boxes = page.locator(".file-tile-pick input")
    boxes.first.check()
    boxes.last.click(modifiers=["Shift"])
    bar = page.locator("#chosen")
    expect(bar.get_by_role("status")).to_have_text("400 selected", use_inner_text=True)
    bar.get_by_role("button", name=button).click()
    expect(page.get_by_text(message)).to_be_visible()


def test_a_selection_that_is_too_large_cannot_be_submitted(browse: Opener, site: Site) -> None:
    page = browse(f"/files/?q={_create_files(site, 3)}")
    bar, boxes = page.locator("#chosen"), page.locator(".file-tile-pick input")
    bar.evaluate("(form) => { form.dataset.max = '2' }")
    for box in boxes.all():
        box.check()
    expect(bar.get_by_role("status")).to_have_text("3 selected; at most 500 at once", use_inner_text=True)
    for label in ("Store copies", "Run a tool on these"):
        expect(bar.get_by_role("button", name=label)).to_be_disabled()
    boxes.first.uncheck()
    expect(bar.get_by_role("status")).to_have_text("2 selected", use_inner_text=True)
    expect(bar.get_by_role("button", name="Store copies")).to_be_enabled()


def test_a_player_continues_after_its_url_has_expired(
    browse: Opener, sandbox: SandboxProcess, browser_errors: BrowserErrors, tmp_path: Path
) -> None:
    browser_errors.expected.append("403|ERR_BLOCKED_BY_ORB")
    page = browse()
    refused: list[str] = []
    sandbox.control("PUT", "faults", {"urlLifetimeSeconds": 3})
    sound = tmp_path / unique_name("wav")
    sound.write_bytes(long_sound(60))
    upload_and_open(page, sound.name, sound)
    network = page.context.new_cdp_session(page)
    limits = {"offline": False, "latency": 0, "uploadThroughput": -1}
    # The browser must not have loaded the whole file before its URL expires.
    network.send("Network.emulateNetworkConditions", {**limits, "downloadThroughput": 100_000})
    with page.expect_response(lambda response: "/media/" in response.url) as signed:
        page.reload(wait_until="domcontentloaded")
    player = page.locator("audio")
    player.evaluate("(player) => { player.muted = true; player.preload = 'metadata' }")
    eventually(lambda: page.request.get(signed.value.url).status == 403)
    sandbox.control("DELETE", "faults")  # the next URL is valid for longer
    network.send("Network.emulateNetworkConditions", {**limits, "downloadThroughput": -1})
    page.on("requestfailed", lambda request: refused.append(request.url))
    player.evaluate("(player) => { player.currentTime = 55; player.play().catch(() => {}) }")
    eventually(lambda: player.evaluate("(player) => player.currentTime > 55.5 && !player.paused"))
    assert refused, "the expired URL was requested"


def test_a_file_is_made_public_viewed_and_withdrawn(browse: Opener, site: Site) -> None:
    page = upload_and_open(browse(), unique_name("wav"), long_sound(2))
    section = page.locator("#public")
    section.get_by_label("Anyone with the link may view it").check()
    section.get_by_role("button", name="Make it public").click()
    expect(section).to_contain_text("Anyone with the link can view it")
    section.get_by_role("link", name="View as visitor").click()
    preview = page.locator("audio")
    preview.evaluate("async (player) => { player.muted = true; await player.play() }")
    source = page.locator("audio source").first.get_attribute("src")
    page.goto("/files/public/")
    page.get_by_role("button", name="Withdraw").first.click()
    expect(page.get_by_text("Public link withdrawn")).to_be_visible()
    assert page.context.request.get(source or "").status == 404


def test_an_embed_snippet_can_be_copied(browse: Opener) -> None:
    page = browse()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    upload_and_open(page, unique_name("wav"), long_sound(2))
    section = page.locator("#public")
    section.get_by_label("Anyone with the link may view it").check()
    section.get_by_role("button", name="Make it public").click()
    section.get_by_role("button", name="Copy the snippet for HTML").click()
    assert "<audio controls" in page.evaluate("navigator.clipboard.readText()")


def test_archiving_can_be_undone(browse: Opener) -> None:
    file_name = unique_name()
    page = upload_and_open(browse(), file_name, png())
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("button", name="Undo archiving").click()
    expect(page.get_by_text("The file is back in the library.")).to_be_visible()


def test_files_can_be_uploaded_without_javascript(browse: Opener) -> None:
    file_name = unique_name()
    page = browse("/files/upload/", java_script_enabled=False)
    page.locator("#files").set_input_files([payload(file_name, png())])
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("One file was uploaded.")).to_be_visible()
    expect(page.locator(".file-tile", has_text=file_name)).to_be_visible()
