"""Inputs of a form: messages, uploads, and an ended session or connection."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import FilePayload, Locator, Page, Route, expect

from tests.browser import actions
from tests.browser.conftest import BrowserErrors, Opener
from tests.browser.site import Site
from tests.executions.files.media import png

SIGNED_OUT = "You are signed out. Sign in in another tab, then try again."
UNREACHABLE = "Rushes is not reachable."
UPSCALE = "/tools/upscale-image/"


def upload(page: Page) -> Locator:
    """Upload a new image from the form; its tile while it uploads."""
    image: FilePayload = {
        "name": f"pier {uuid.uuid4().hex[:10]}.png",
        "mimeType": "image/png",
        "buffer": png(),
    }
    page.locator("#composer input[type=file]").first.set_input_files([image])
    return page.locator("#composer .tool-field-uploading")


def never_ready(page: Page) -> None:
    """Let uploads stay in the state `processing` for ever."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = {**response.json(), "state": "processing"}
        route.fulfill(response=response, json=body)

    page.route(re.compile(r"/files/upload/\?name=(?!.*check=)"), answer)
    page.route("**/files/states/**", lambda route: route.fulfill(json={"files": []}))


# --- messages ---------------------------------------------------------------------------------------------


def test_too_many_files_are_reported_in_the_dialog(browse: Opener) -> None:
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
    expect(dialog.get_by_role("alert")).to_have_text("Select at most 4 files.")
    expect(dialog.get_by_role("alert").locator(".toast")).to_be_in_viewport()
    expect(boxes.nth(4)).not_to_be_checked()
    expect(page.locator("#trouble")).to_be_empty()


def test_a_failing_voice_sample_is_reported(browse: Opener, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.append("status of 503")
    page = actions.wait_until_live(browse("/tools/text-to-speech/"))
    page.route(
        re.compile("/voices/.+/sample"),
        lambda route: route.fulfill(status=503, json={"error": "VideoGen is unavailable."}),
    )
    page.locator(".tool-field-voices > summary").click()
    page.locator("[data-listen]:visible").first.click()
    expect(page.locator("#trouble .toast")).to_have_text("VideoGen is unavailable.")


# --- uploads ----------------------------------------------------------------------------------------------


def test_an_upload_that_is_never_ready_can_be_removed(browse: Opener, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.append("status of 503.*thumbnail")  # it is not ready yet
    page = actions.wait_until_live(browse("/"))
    never_ready(page)
    page.get_by_label("Prompt", exact=True).fill(actions.unique_prompt())
    tile = upload(page)
    expect(tile).to_contain_text("Processing…")
    page.locator("#start").click()
    expect(page.locator("#trouble")).to_contain_text("A file is still uploading.")
    tile.get_by_role("button", name="Remove").click()
    expect(tile).to_have_count(0)
    page.locator("#start").click()
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")


def test_an_upload_in_another_form_does_not_delay_a_start(
    browse: Opener, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 503.*thumbnail")
    page, prompt = actions.wait_until_live(browse("/")), actions.unique_prompt()
    never_ready(page)
    expect(upload(page)).to_contain_text("Processing…")
    page.locator(".tool-form-kinds").get_by_role("link", name="Video", exact=True).click()
    expect(page.locator("#kind-video")).to_have_attribute("aria-current", "true")
    page.get_by_label("Prompt", exact=True).fill(prompt)
    page.locator("#start").click()
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")


def test_an_upload_survives_the_response_to_a_start(browse: Opener, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.append("status of 503.*thumbnail")
    page, prompt = actions.wait_until_live(browse("/")), actions.unique_prompt()
    held_requests: list[Route] = []
    page.route(
        re.compile(r"/tools/[a-z-]+/$"),
        lambda route: held_requests.append(route) if route.request.method == "POST" else route.continue_(),
    )
    never_ready(page)
    actions.start(page, prompt)
    expect(page.locator("#composer.htmx-request")).to_be_visible()
    tile = upload(page)
    expect(tile).to_contain_text("Processing…")
    held_requests.pop().continue_()
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")
    expect(tile).to_contain_text("Processing…")


# --- the session, and the connection ----------------------------------------------------------------------


def test_the_dialog_never_shows_a_sign_in_page(browse: Opener) -> None:
    page = actions.wait_until_live(browse(UPSCALE))
    page.context.clear_cookies(name="sessionid")
    page.get_by_role("button", name="Library").click()
    expect(page.locator("#trouble")).to_have_text(SIGNED_OUT)
    expect(page.get_by_role("dialog")).to_be_hidden()


@pytest.mark.parametrize("cookie", ["sessionid", None])
def test_a_voice_sample_requires_a_session(
    cookie: str | None, browse: Opener, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 403")  # without cookies the CSRF token is refused first
    page = actions.wait_until_live(browse("/tools/text-to-speech/"))
    page.locator(".tool-field-voices > summary").click()
    page.context.clear_cookies(name=cookie)
    button = page.locator("[data-listen]:visible").first
    button.click()
    expect(page.locator("#trouble")).to_have_text(SIGNED_OUT)
    expect(button).not_to_have_attribute("data-state", re.compile("."))


def test_a_lost_connection_is_reported(browse: Opener, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.append("ERR_INTERNET_DISCONNECTED|WebSocket|object Event")
    library, voice = (
        actions.wait_until_live(browse(UPSCALE)),
        actions.wait_until_live(browse("/tools/text-to-speech/")),
    )
    voice.locator(".tool-field-voices > summary").click()
    for page in (library, voice):
        page.context.set_offline(True)
    library.get_by_role("button", name="Library").click()
    voice.locator("[data-listen]:visible").first.click()
    for page in (library, voice):
        expect(page.locator("#trouble")).to_contain_text(UNREACHABLE)


def test_an_upload_continues_after_signing_in_in_another_tab(
    browse: Opener, site: Site, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 403")
    page = actions.wait_until_live(browse(UPSCALE))
    page.context.clear_cookies(name="sessionid")
    other = page.context.new_page()
    other.goto("/sign-in/")
    other.get_by_label("Username").fill("admin")
    other.get_by_label("Password").fill(site.password)
    other.get_by_role("button", name="Sign in").click()
    expect(other.locator("#composer")).to_be_visible()
    upload(page)
    expect(page.locator("#composer .tool-field-option:has(:checked)")).to_contain_text("pier")
