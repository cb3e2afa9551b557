"""The library in a real browser: uploads of every kind, endless paging, zoom, a preview for strangers, expiry."""

from __future__ import annotations

import base64
import io
import uuid
import wave
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.browser.conftest import PHONE, Complaints, Opener
from tests.browser.site import Site, order
from tests.conftest import SandboxProcess
from tests.executions.files.media import png
from tests.waiting import eventually

PUT = "PUT /incoming/*"
# What a person does with files from elsewhere: drops them on the page, or pastes them into it.
GIVE = """([kind, files]) => {
  const given = new DataTransfer()
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (each) => each.charCodeAt(0))
    given.items.add(new File([bytes], name))
  }
  const target = document.getElementById('upload')
  const options = { bubbles: true, cancelable: true }
  target.dispatchEvent(kind === 'paste'
    ? new ClipboardEvent('paste', { ...options, clipboardData: given })
    : new DragEvent('drop', { ...options, dataTransfer: given }))
}"""


def name(ending: str = "png") -> str:
    """A file's name that no other has."""
    return f"pier {uuid.uuid4().hex[:10]}.{ending}"


def payload(named: str, body: bytes) -> FilePayload:
    return {"name": named, "mimeType": "application/octet-stream", "buffer": body}


def long_sound(seconds: int) -> bytes:
    """Large enough that a browser does not load all of it at once."""
    made = io.BytesIO()
    with wave.open(made, "wb") as sound:
        sound.setnchannels(2)
        sound.setsampwidth(2)
        sound.setframerate(44100)
        sound.writeframes(b"\0\x08\0\x08" * 44100 * seconds)
    return made.getvalue()


def row(page: Page, named: str) -> Locator:
    return page.locator(".upload", has_text=named)


def choose(page: Page, *files: FilePayload) -> None:
    page.locator("#files").set_input_files(list(files))


def arrived(page: Page, named: str) -> None:
    expect(row(page, named)).to_have_attribute("data-state", "ready", timeout=20_000)


def uploaded(page: Page, named: str, body: bytes | Path) -> Page:
    """Upload it, and open its page."""
    page.goto("/files/upload/")
    page.locator("#files").set_input_files(body if isinstance(body, Path) else payload(named, body))
    arrived(page, named)
    row(page, named).get_by_role("link", name="Open").click()
    expect(page.get_by_role("heading", name=named)).to_be_visible()
    return page


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_several_files_at_once_arrive(kind: str, browse: Opener) -> None:
    page = browse("/files/upload/")
    names = [name() for _ in range(5)]
    page.evaluate(GIVE, [kind, [(each, base64.b64encode(png()).decode()) for each in names]])
    for each in names:
        arrived(page, each)
        expect(row(page, each)).to_contain_text("in the library")
    page.goto("/files/")
    for each in names:
        expect(page.locator(".file-tile", has_text=each)).to_be_visible()


def test_the_bar_tells_what_is_sent(browse: Opener) -> None:
    page = browse("/files/upload/")
    # 400 kB a second: the upload of a million bytes can be watched.
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 400_000},
    )
    page.evaluate(
        """() => {
          window.seen = []
          new MutationObserver(() => document.querySelectorAll('.upload').forEach((row) => {
            window.seen.push([row.dataset.state, row.querySelector('progress').getAttribute('value')])
          })).observe(document.getElementById('uploads'), { childList: true, subtree: true, attributes: true })
        }"""
    )
    named = name()
    choose(page, payload(named, png(padding=1_000_000)))
    arrived(page, named)
    seen: list[list[Any]] = page.evaluate("window.seen")
    values = [int(value) for state, value in seen if state == "sending" and value]
    assert values == sorted(values)
    assert len({value for value in values if 0 < value < 100}) >= 2, values
    order_of = list(dict.fromkeys(state for state, _ in seen))
    assert order_of == ["sending", "handing over", "processing", "ready"]


def test_cancel_then_try_again(browse: Opener, sandbox: SandboxProcess, complaints: Complaints) -> None:
    page = browse("/files/upload/")
    order(sandbox, {"kind": "slow", "seconds": 30, "match": PUT, "count": 1})
    named = name()
    choose(page, payload(named, png()))
    expect(row(page, named)).to_contain_text("VideoGen gets it")
    eventually(lambda: sandbox.control("GET", "faults")["faults"] == [])
    row(page, named).get_by_role("button", name="Cancel").click()
    expect(row(page, named)).to_contain_text("cancelled")
    row(page, named).get_by_role("button", name="Try again").click()
    arrived(page, named)
    page.goto("/files/")
    expect(page.locator(".file-tile", has_text=named)).to_have_count(1)


def test_a_wrong_file_is_refused_before_it_is_sent_and_the_others_go_on(
    browse: Opener, complaints: Complaints
) -> None:
    complaints.expected.append("415")
    page = browse("/files/upload/")
    wrong, right = name(), name()
    choose(page, payload(wrong, b"<html>" + b"x" * 5_000_000), payload(right, png()))
    expect(row(page, wrong)).to_contain_text("not a file that VideoGen takes")
    expect(row(page, wrong).get_by_role("button", name="Try again")).to_be_visible()
    arrived(page, right)


def test_what_videogen_refuses_is_said(
    browse: Opener, sandbox: SandboxProcess, complaints: Complaints
) -> None:
    complaints.expected.append("502")
    page = browse("/files/upload/")
    order(sandbox, {"kind": "expired", "match": PUT})
    named = name()
    choose(page, payload(named, png()))
    expect(row(page, named)).to_contain_text("has expired")
    order(sandbox)
    row(page, named).get_by_role("button", name="Try again").click()
    arrived(page, named)


def test_a_picture_is_zoomed_and_closed_again(browse: Opener) -> None:
    page = uploaded(browse(), name(), png(2400, 1800))
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


def test_the_library_goes_on_as_one_scrolls(browse: Opener, site: Site) -> None:
    mark = _many(site, 120)
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
    # Without a script the same is a link.
    plain = browse(f"/files/?q={mark}", java_script_enabled=False)
    plain.get_by_role("link", name="Older").click()
    expect(plain.locator(".file-tile").first).to_contain_text(f"{mark} 071")


def _many(site: Site, count: int) -> str:
    """Files that nothing was made of, under a name of their own."""
    mark = uuid.uuid4().hex[:8]
    site.manage(
        "from executions.models import File\n"
        f"for n in range({count}): File.objects.create(remote_id=f'vg_file_{mark}_{{n:024}}', type='AUDIO', "
        f"display_name=f'{mark} {{n:03}}', scope='GLOBAL')"
    )
    return mark


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_the_bar_of_the_chosen_fits_on_a_phone(theme: str, browse: Opener, site: Site) -> None:
    page = browse(f"/files/?q={_many(site, 3)}", viewport=PHONE, color_scheme=theme)
    for box in page.locator(".file-tile-pick input").all():
        box.check()
    bar = page.locator("#chosen")
    expect(bar.get_by_role("status")).to_have_text("3 chosen", use_inner_text=True)
    parts = bar.locator("p, button")
    expect(parts).to_have_count(4)
    for part in parts.all():
        expect(part).to_be_in_viewport(ratio=1)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize(
    ("act", "said"), [("Keep copies", "400 will be copied."), ("Run a tool on these", "(400 chosen)")]
)
def test_more_files_than_an_address_can_name_are_sent(
    act: str, said: str, browse: Opener, site: Site
) -> None:
    page = browse(f"/files/?q={_many(site, 400)}")
    tiles = page.locator(".file-tile")
    for count in (*range(48, 400, 48), 400):
        expect(tiles).to_have_count(count)
        if count < 400:
            page.locator(".file-tile-older").scroll_into_view_if_needed()
    boxes = page.locator(".file-tile-pick input")
    boxes.first.check()
    boxes.last.click(modifiers=["Shift"])
    bar = page.locator("#chosen")
    expect(bar.get_by_role("status")).to_have_text("400 chosen", use_inner_text=True)
    bar.get_by_role("button", name=act).click()
    expect(page.get_by_text(said)).to_be_visible()


def test_more_than_can_be_sent_at_once_is_said_before(browse: Opener, site: Site) -> None:
    page = browse(f"/files/?q={_many(site, 3)}")
    bar, boxes = page.locator("#chosen"), page.locator(".file-tile-pick input")
    bar.evaluate("(form) => { form.dataset.most = '2' }")
    for box in boxes.all():
        box.check()
    expect(bar.get_by_role("status")).to_have_text("3 chosen; at most 500 at once", use_inner_text=True)
    for label in ("Keep copies", "Run a tool on these"):
        expect(bar.get_by_role("button", name=label)).to_be_disabled()
    boxes.first.uncheck()
    expect(bar.get_by_role("status")).to_have_text("2 chosen", use_inner_text=True)
    expect(bar.get_by_role("button", name="Keep copies")).to_be_enabled()


def test_a_player_left_open_over_an_expiry_plays_on(
    browse: Opener, sandbox: SandboxProcess, complaints: Complaints, tmp_path: Path
) -> None:
    complaints.expected.append("403|ERR_BLOCKED_BY_ORB")
    page = browse()
    refused: list[str] = []
    sandbox.control("PUT", "faults", {"urlLifetimeSeconds": 3})
    sound = tmp_path / name("wav")
    sound.write_bytes(long_sound(60))
    uploaded(page, sound.name, sound)
    page.reload()
    player = page.locator("audio")
    player.evaluate("(player) => { player.muted = true; player.preload = 'metadata' }")
    page.wait_for_timeout(4000)  # its address has expired
    page.on("requestfailed", lambda request: refused.append(request.url))
    player.evaluate("(player) => { player.currentTime = 55; player.play().catch(() => {}) }")
    eventually(lambda: player.evaluate("(player) => player.currentTime > 55.5 && !player.paused"))
    assert refused, "the old address was really tried"


def test_a_public_preview_from_the_warning_to_the_withdrawal(browse: Opener, site: Site) -> None:
    page = uploaded(browse(), name("wav"), long_sound(2))
    section = page.locator("#public")
    section.get_by_label("Anyone with the link may view it").check()
    section.get_by_role("button", name="Make it public").click()
    expect(section).to_contain_text("Anyone with the link can view it")
    section.get_by_role("link", name="View as visitor").click()
    stranger = page.locator("audio")
    stranger.evaluate("async (player) => { player.muted = true; await player.play() }")
    source = page.locator("audio source").first.get_attribute("src")
    page.goto("/files/public/")
    page.get_by_role("button", name="Withdraw").first.click()
    expect(page.get_by_text("Public link withdrawn")).to_be_visible()
    assert page.context.request.get(source or "").status == 404


def test_a_snippet_is_copied(browse: Opener) -> None:
    page = browse()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    uploaded(page, name("wav"), long_sound(2))
    section = page.locator("#public")
    section.get_by_label("Anyone with the link may view it").check()
    section.get_by_role("button", name="Make it public").click()
    section.get_by_role("button", name="Copy the snippet for HTML").click()
    assert "<audio controls" in page.evaluate("navigator.clipboard.readText()")


def test_archive_and_undo(browse: Opener) -> None:
    named = name()
    page = uploaded(browse(), named, png())
    page.get_by_role("button", name="Archive").click()
    page.get_by_role("button", name="Undo archiving").click()
    expect(page.get_by_text("The file is back in the library.")).to_be_visible()


def test_without_a_script_a_form_uploads(browse: Opener) -> None:
    named = name()
    page = browse("/files/upload/", java_script_enabled=False)
    page.locator("#files").set_input_files([payload(named, png())])
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_text("One file was uploaded.")).to_be_visible()
    expect(page.locator(".file-tile", has_text=named)).to_be_visible()
