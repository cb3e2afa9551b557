"""The studio, point by point: start, watch, cancel; alone and with somebody else watching."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser import acts
from tests.browser.conftest import Complaints, Opener
from tests.browser.site import CANCELS, STARTS, Site, order
from tests.conftest import SandboxProcess


def test_a_picture_from_prompt_to_result_on_two_screens(browse: Opener, sandbox: SandboxProcess) -> None:
    """The card comes without a page load, moves by itself, and ends with the picture; a colleague sees it too."""
    order(sandbox, {"kind": "slow", "match": STARTS, "seconds": 0.7}, {"kind": "job", "seconds": 3.5})
    mine, theirs = acts.live(browse("/")), acts.live(browse("/", name="member"))
    for page in (mine, theirs):
        acts.stays(page)
        page.evaluate(acts.RECORDER)
    prompt = acts.words()

    acts.start(mine, prompt, shape="9:16", takes=2)

    expect(acts.job(mine, prompt)).to_be_visible()
    expect(mine.locator(".tool-form-started")).to_contain_text("Started.")
    for page, who in ((mine, "you"), (theirs, "admin")):
        tile = acts.ended(page, prompt)
        seen = acts.statuses(page, prompt)
        assert [each["status"] for each in seen] == ["queued", "pending", "running", "succeeded"]
        told = acts.progress(page, prompt)
        assert told == sorted(told)
        assert len(told) > 1
        width, height = acts.picture_size(tile.locator("img"))
        assert (width < height, round(height / width, 1)) == (True, round(16 / 9, 1))
        expect(tile).to_contain_text("2 takes")
        expect(tile).to_contain_text(who)
        assert acts.stayed(page)
    times = [[each["at"] for each in acts.statuses(page, prompt)] for page in (mine, theirs)]
    assert max(abs(here - there) for here, there in zip(*times, strict=True)) < 1500


def test_speech_can_be_played(browse: Opener, site: Site) -> None:
    page = acts.live(browse("/"))
    acts.stays(page)
    page.get_by_role("link", name="Audio").click()
    expect(page).to_have_url(f"{site.url}/tools/text-to-speech/")
    text = acts.words("The rushes of today are on the table.")
    page.get_by_label("Script").fill(text)
    page.locator("#start").click()
    player = acts.ended(page, text).locator("audio")
    expect(player).to_be_visible()
    assert 1 < acts.play(player) < 60
    assert acts.stayed(page)


def test_nothing_asks_while_the_socket_is_up(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    """Neither the studio, nor the history, nor a job's page; not even while that job runs."""
    order(sandbox, {"kind": "job", "seconds": 60, "count": 1})
    [prompt] = site.start(acts.words(), name="admin")
    studio = acts.live(browse("/"))
    expect(acts.job(studio, prompt)).to_have_attribute("data-status", "running")
    # A moment after its socket opened, the history asks once for what came before that.
    with studio.context.expect_event("response", lambda answer: "/executions/fresh/" in answer.url):
        history = acts.live(_tab(studio, "/executions/"))
    for page in (studio, history, acts.live(_tab(studio, _address(studio, prompt)))):
        page.wait_for_load_state("networkidle")
    asked: list[str] = []
    studio.context.on("request", lambda request: asked.append(request.url))
    studio.wait_for_timeout(5000)  # longer than the four seconds after which pages without a socket ask
    assert asked == []
    acts.job(studio, prompt).get_by_role("button", name="Cancel").click()
    acts.ended(studio, prompt, "cancelled")
    assert len(asked) == 1


def _tab(beside: Page, path: str) -> Page:
    page = beside.context.new_page()
    page.goto(path)
    return page


def _address(page: Page, prompt: str) -> str:
    return acts.job(page, prompt).get_by_role("link", name=prompt, exact=True).get_attribute("href") or ""


def test_cancelling_is_said_at_once(browse: Opener, sandbox: SandboxProcess) -> None:
    order(
        sandbox,
        {"kind": "job", "seconds": 60},
        {"kind": "slow", "match": CANCELS, "seconds": 8},
    )
    mine, theirs = acts.live(browse("/")), acts.live(browse("/", name="member"))
    prompt = acts.words()
    acts.start(mine, prompt)
    expect(acts.job(theirs, prompt)).to_have_attribute("data-status", "running")
    expect(acts.job(theirs, prompt).get_by_role("button", name="Cancel")).to_have_count(0)

    acts.job(mine, prompt).get_by_role("button", name="Cancel").click()
    for page in (mine, theirs):
        # Long before VideoGen has answered.
        expect(acts.job(page, prompt)).to_contain_text("cancelling", timeout=6000)
    expect(acts.job(mine, prompt).get_by_role("button", name="Cancel")).to_have_count(0)
    for page in (mine, theirs):
        expect(acts.ended(page, prompt, "cancelled")).to_contain_text("Cancelled before it was done.")


def test_a_cancel_that_comes_too_late_says_so(browse: Opener, sandbox: SandboxProcess) -> None:
    order(sandbox, {"kind": "job", "seconds": 4, "ignore_cancel": True})
    page = acts.live(browse("/"))
    prompt = acts.words()
    acts.start(page, prompt)
    acts.job(page, prompt).get_by_role("button", name="Cancel").click()
    expect(acts.job(page, prompt)).to_contain_text("cancelling")
    acts.ended(page, prompt).get_by_role("link", name=prompt, exact=True).click()
    expect(page.locator("[data-cancel]")).to_contain_text("the result was kept")


def test_what_is_cancelled_while_it_waits_here_never_reaches_videogen(
    browse: Opener, site: Site, sandbox: SandboxProcess
) -> None:
    order(sandbox, {"kind": "rate_limited", "match": STARTS, "seconds": 3})
    page = acts.live(browse("/"))
    prompt = acts.words()
    acts.start(page, prompt)
    waiting = acts.job(page, prompt)
    expect(waiting).to_have_attribute("data-status", "queued")
    expect(waiting).to_contain_text("next try")
    waiting.get_by_role("button", name="Cancel").click()
    acts.ended(page, prompt, "cancelled")
    assert site.truth(prompt) == []


def test_a_double_click_starts_one_job(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    """Also with the keys on top of it, and with an answer that is slow to come."""
    order(sandbox, {"kind": "slow", "match": STARTS, "seconds": 0.5, "count": 1})
    page = acts.live(browse("/"))
    prompt = acts.words()
    page.get_by_label("Prompt").fill(prompt)
    page.locator("#start").evaluate("(button) => { button.click(); button.click() }")
    page.get_by_label("Prompt").press("Control+Enter")
    expect(page.locator(".tool-form-started")).to_be_visible()
    acts.ended(page, prompt)
    expect(acts.take(page, prompt)).to_have_count(1)
    assert len(site.truth(prompt)) == 1


def test_what_is_typed_and_started_while_a_start_is_under_way_is_kept_and_started_next(
    browse: Opener, site: Site, sandbox: SandboxProcess, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    order(sandbox, {"kind": "slow", "match": STARTS, "seconds": 1.5, "count": 1})
    page = acts.live(browse("/"))
    first, second, third = acts.words(), acts.words(), acts.words()
    prompt = page.get_by_label("Prompt")
    prompt.fill(first)
    prompt.press("Control+Enter")
    expect(page.locator("#composer.htmx-request")).to_be_visible()
    prompt.fill(second)
    prompt.press("Control+Enter")
    expect(page.locator(".tool-form-started")).to_contain_text("Started.")
    acts.ended(page, first)
    acts.ended(page, second)
    # What is only typed, and not started, stays in the form; what was wrong before is not said any more.
    prompt.fill("")
    prompt.press("Control+Enter")
    expect(prompt).to_have_attribute("aria-invalid", "true")
    order(sandbox, {"kind": "slow", "match": STARTS, "seconds": 1.5, "count": 1})
    prompt.fill(third)
    prompt.press("Control+Enter")
    expect(page.locator("#composer.htmx-request")).to_be_visible()
    prompt.press_sequentially(", once more")
    expect(page.locator("#composer:not(.htmx-request)")).to_be_visible()
    expect(prompt).to_have_value(f"{third}, once more")
    expect(page.locator("#composer :is(.field-problem, .field-invalid, [aria-invalid])")).to_have_count(0)
    expect(prompt).to_be_focused()
    acts.ended(page, third)
    assert [len(site.truth(words)) for words in (first, second, third)] == [1, 1, 1]


def test_a_refusal_is_said_at_the_form_and_nothing_typed_is_lost(
    browse: Opener, site: Site, sandbox: SandboxProcess, complaints: Complaints
) -> None:
    complaints.expected.append("status of 422")
    body = {"message": "This prompt names a living person.", "code": "moderation_refused"}
    order(sandbox, {"kind": "status", "match": STARTS, "status": 400, "body": body, "count": 1})
    page = acts.live(browse("/"))
    prompt = acts.words("somebody famous")
    acts.start(page, prompt, shape="1:1", takes=3)
    refusal = page.get_by_role("alert").filter(has_text="VideoGen refused this.")
    expect(refusal).to_contain_text("This prompt names a living person.")
    expect(refusal).to_contain_text("moderation_refused")
    expect(refusal).to_be_focused()
    expect(page.get_by_label("Prompt")).to_have_value(prompt)
    expect(page.get_by_label("1:1", exact=True)).to_be_checked()
    expect(page.get_by_label("Takes")).to_have_value("3")
    expect(acts.take(page, prompt)).to_have_attribute("data-status", "failed")
    # What was refused may be changed and tried again, in the same form.
    another = acts.words("somebody unknown")
    acts.start(page, another)
    acts.ended(page, another)
    assert [each["request"]["aspectRatio"] for each in site.truth(another)] == [{"width": 1, "height": 1}]


def test_an_empty_prompt_is_said_at_its_field(browse: Opener, complaints: Complaints) -> None:
    complaints.expected.append("status of 422")
    page = acts.live(browse("/"))
    page.locator("#start").click()
    prompt = page.get_by_label("Prompt")
    expect(prompt).to_have_attribute("aria-invalid", "true")
    expect(prompt).to_be_focused()
    described = prompt.get_attribute("aria-describedby") or ""
    expect(page.locator(f"#{described.split()[0]}")).not_to_be_empty()
