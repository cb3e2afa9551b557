"""Choosing for a form: what is said while one does, uploads that hold up nobody, and a session that is over."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.browser import acts
from tests.browser.conftest import Complaints, Opener
from tests.browser.site import Site
from tests.executions.files.media import png

SIGNED_OUT = "You are signed out. Sign in in another tab, then try again."
UNREACHED = "Rushes could not be reached."
UPSCALE = "/tools/upscale-image/"


def upload(page: Page) -> Locator:
    """Give the form a picture from the disk: its tile, on the way."""
    given: FilePayload = {
        "name": f"pier {uuid.uuid4().hex[:10]}.png",
        "mimeType": "image/png",
        "buffer": png(),
    }
    page.locator("#composer input[type=file]").first.set_input_files([given])
    return page.locator("#composer .tool-field-uploading")


def never_ready(page: Page) -> None:
    """VideoGen takes the file and prepares it for ever."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = {**response.json(), "state": "processing"}
        route.fulfill(response=response, json=body)

    page.route(re.compile(r"/files/upload/\?name=(?!.*check=)"), answer)
    page.route("**/files/states/**", lambda route: route.fulfill(json={"files": []}))


# --- what is said -----------------------------------------------------------------------------------------


def test_too_many_files_are_told_within_the_dialog(browse: Opener) -> None:
    mark = uuid.uuid4().hex[:8]
    page = browse("/files/upload/")
    pictures: list[FilePayload] = [
        {"name": f"{mark} {each}.png", "mimeType": "image/png", "buffer": png()} for each in range(5)
    ]
    page.locator("#files").set_input_files(pictures)
    expect(page.locator(".upload[data-state=ready]", has_text=mark)).to_have_count(5)
    page.goto("/tools/generate-video-clip/")
    page.get_by_role("group", name="Reference images").get_by_role("button", name="Library").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Search by name").fill(mark)
    boxes = dialog.locator(".tool-field-option input")
    expect(boxes).to_have_count(5)
    for index in range(4):
        boxes.nth(index).check()
    boxes.nth(4).click()
    expect(dialog.get_by_role("alert")).to_have_text("At most 4 files.")
    expect(dialog.get_by_role("alert").locator(".toast")).to_be_in_viewport()
    expect(boxes.nth(4)).not_to_be_checked()
    expect(page.locator("#trouble")).to_be_empty()


def test_a_voice_that_cannot_be_heard_is_told_as_everything_else(
    browse: Opener, complaints: Complaints
) -> None:
    complaints.expected.append("status of 503")
    page = acts.live(browse("/tools/text-to-speech/"))
    page.route(
        re.compile("/voices/.+/sample"),
        lambda route: route.fulfill(status=503, json={"error": "VideoGen is away."}),
    )
    page.locator(".tool-field-voices > summary").click()
    page.locator("[data-listen]:visible").first.click()
    expect(page.locator("#trouble .toast")).to_have_text("VideoGen is away.")


# --- uploads ----------------------------------------------------------------------------------------------


def test_an_upload_that_is_prepared_for_ever_can_be_removed(browse: Opener, complaints: Complaints) -> None:
    complaints.expected.append("status of 503.*thumbnail")  # it is not ready yet
    page = acts.live(browse("/"))
    never_ready(page)
    page.get_by_label("Prompt", exact=True).fill(acts.words())
    tile = upload(page)
    expect(tile).to_contain_text("Being prepared")
    page.locator("#start").click()
    expect(page.locator("#trouble")).to_contain_text("A file is still being uploaded.")
    tile.get_by_role("button", name="Remove").click()
    expect(tile).to_have_count(0)
    page.locator("#start").click()
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")


def test_an_upload_of_a_form_that_was_left_holds_up_no_start(browse: Opener, complaints: Complaints) -> None:
    complaints.expected.append("status of 503.*thumbnail")
    page, words = acts.live(browse("/")), acts.words()
    never_ready(page)
    expect(upload(page)).to_contain_text("Being prepared")
    page.locator(".tool-form-kinds").get_by_role("link", name="Video", exact=True).click()
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    page.get_by_label("Prompt", exact=True).fill(words)
    page.locator("#start").click()
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")


def test_an_upload_survives_that_another_start_is_answered(browse: Opener, complaints: Complaints) -> None:
    complaints.expected.append("status of 503.*thumbnail")
    page, words = acts.live(browse("/")), acts.words()
    held: list[Route] = []
    page.route(
        re.compile(r"/tools/[a-z-]+/$"),
        lambda route: held.append(route) if route.request.method == "POST" else route.continue_(),
    )
    never_ready(page)
    acts.start(page, words)
    expect(page.locator("#composer.htmx-request")).to_be_visible()
    tile = upload(page)
    expect(tile).to_contain_text("Being prepared")
    held.pop().continue_()
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")
    expect(tile).to_contain_text("Being prepared")


# --- the session, and the connection ----------------------------------------------------------------------


def test_the_dialog_never_shows_a_sign_in_page(browse: Opener) -> None:
    page = acts.live(browse(UPSCALE))
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Library").click()
    expect(page.locator("#trouble")).to_have_text(SIGNED_OUT)
    expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("cookie", ["sessionid", None])
def test_a_voice_is_not_heard_without_a_session(
    cookie: str | None, browse: Opener, complaints: Complaints
) -> None:
    complaints.expected.append("status of 403")  # without any cookie the token is refused first
    page = acts.live(browse("/tools/text-to-speech/"))
    page.locator(".tool-field-voices > summary").click()
    page.context.clear_cookies(name=cookie)
    button = page.locator("[data-listen]:visible").first
    button.click()
    expect(page.locator("#trouble")).to_have_text(SIGNED_OUT)
    expect(button).not_to_have_attribute("data-state", re.compile("."))


def test_without_a_connection_it_is_told(browse: Opener, complaints: Complaints) -> None:
    complaints.expected.append("ERR_INTERNET_DISCONNECTED|WebSocket|object Event")
    library, voice = acts.live(browse(UPSCALE)), acts.live(browse("/tools/text-to-speech/"))
    voice.locator(".tool-field-voices > summary").click()
    for page in (library, voice):
        page.context.set_offline(True)
    library.get_by_role("button", name="Library").click()
    voice.locator("[data-listen]:visible").first.click()
    for page in (library, voice):
        expect(page.locator("#trouble")).to_contain_text(UNREACHED)


def test_an_upload_goes_on_when_one_has_signed_in_elsewhere(
    browse: Opener, site: Site, complaints: Complaints
) -> None:
    complaints.expected.append("status of 403")
    page = acts.live(browse(UPSCALE))
    page.context.clear_cookies(name="sessionid")
    other = page.context.new_page()
    other.goto("/sign-in/")
    other.get_by_label("Username").fill("admin")
    other.get_by_label("Password").fill(site.password)
    other.get_by_role("button", name="Sign in").click()
    expect(other.locator("#composer")).to_be_visible()
    upload(page)
    expect(page.locator("#composer .tool-field-option:has(:checked)")).to_contain_text("pier", timeout=20_000)
