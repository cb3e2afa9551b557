"""Accessibility: axe finds no violations, no page is wider than a phone, and everything works by keyboard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser import actions
from tests.browser.conftest import PHONE, WIDE, BrowserErrors, Opener
from tests.browser.site import Site, hold_jobs, set_faults
from tests.conftest import SandboxProcess

# axe's violations, as "rule: elements".
FINDINGS = """async ([within, options]) => {
  const { violations } = await axe.run(within, { resultTypes: ['violations'], ...options })
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`)
}"""
OVERFLOW_WIDTH = "() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}

type Variants = Sequence[tuple[ViewportSize, Literal["light", "dark"], dict[str, Any]]]
# The colour schemes differ only in colours, so the second one is only checked for contrast.
VARIANTS: Variants = (
    (WIDE, "light", {}),
    (WIDE, "dark", COLOURS),
    (PHONE, "dark", {}),
    (PHONE, "light", COLOURS),
)
TWO_VARIANTS: Variants = ((WIDE, "light", {}), (PHONE, "dark", {}))

# The focused element, whether it has a visible focus ring (or its label or row has), and whether it is in the viewport.
FOCUS = """() => {
  const at = document.activeElement
  const rings = [at, at.closest('label'), at.closest('tr'), at.nextElementSibling].filter(Boolean)
  const isRinged = rings.some((each) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(each)
    return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2
  })
  const { top, bottom, left, right } = at.getBoundingClientRect()
  const isInViewport = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth
  const label = at.getAttribute('aria-label') ?? at.labels?.[0]?.innerText ?? at.innerText ?? ''
  return { tag: at.localName, id: at.id, label: label.trim(), isRinged, isInViewport }
}"""


def audit(page: Page, within: str = "html", variants: Variants = VARIANTS) -> None:
    """Check each variant in one load of the page; `within` is a selector."""
    page.wait_for_load_state()  # after a click, the page may still be arriving
    page.evaluate(AXE_SCRIPT)
    page.emulate_media(reduced_motion="reduce")
    findings = []
    for viewport, scheme, options in variants:
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(FINDINGS, [within, options])
        findings += [f"{scheme} {viewport['width']}: {each}" for each in found]
        if over := page.evaluate(OVERFLOW_WIDTH):
            findings.append(f"{viewport['width']}: {over} px too wide")
    assert findings == []


@pytest.fixture
def material(site: Site) -> str:
    """The prompt of a finished image, so that forms with an image input have something to offer."""
    [prompt] = site.start(
        actions.unique_prompt("A word as long as Donaudampfschifffahrtselektrizitätenhauptbetriebswerk")
    )
    return prompt


def test_the_sign_in_page_and_its_errors_are_accessible(
    browse: Opener, browser_errors: BrowserErrors
) -> None:
    browser_errors.expected.append("status of 422")
    page = browse("/", name=None)
    audit(page)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Username")).to_have_attribute("aria-invalid", "true")
    audit(page)


def test_the_page_for_an_unknown_url(browse: Opener, browser_errors: BrowserErrors) -> None:
    browser_errors.expected.append("status of 404")
    page = browse("/nothing/here/")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    audit(page)


def test_the_studio_with_every_kind_of_card(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    set_faults(sandbox, {"kind": "job", "fail": "moderation_refused", "seconds": 0.1})
    [failed] = site.start(actions.unique_prompt())
    page = actions.wait_until_live(browse("/"))
    actions.wait_until_finished(page, failed, "failed")
    set_faults(sandbox)
    [picture] = site.start(actions.unique_prompt(), name="admin", numResults=2)
    [speech] = site.start(actions.unique_prompt("Words that are spoken."), tool="text-to-speech")
    for prompt in (picture, speech):
        actions.wait_until_finished(page, prompt)
    hold_jobs(sandbox)
    [running] = site.start(actions.unique_prompt(), name="admin")
    expect(actions.job(page, running)).to_have_attribute("data-status", "running")
    audit(page)
    page.locator("#composer summary", has_text="More options").click()
    page.get_by_role("button", name="Use it in another tool").first.click()
    expect(page.locator(".menu:popover-open")).to_be_visible()
    audit(page)
    page.keyboard.press("Escape")
    actions.job(page, running).get_by_role("button", name="Cancel").click()
    actions.wait_until_finished(page, running, "cancelled")


@pytest.mark.slow
def test_the_form_of_every_tool(browse: Opener, material: str) -> None:
    page = actions.wait_until_live(browse("/"))
    actions.finished_job(page, material).wait_for()
    links = page.locator(".tool-form-kinds a")
    addresses = set()
    for media in links.evaluate_all("(links) => links.map((link) => link.href)"):
        page.goto(media)
        addresses |= set(
            page.locator(".tool-form-tools a").evaluate_all("(links) => links.map((link) => link.href)")
        )
    assert len(addresses) >= 10
    for address in sorted(addresses):
        page.goto(address)
        for fold in page.locator("#composer details").all():
            fold.evaluate("(fold) => { fold.open = true }")
        audit(page, "#composer", TWO_VARIANTS)


def test_the_job_page_in_every_status(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    hold_jobs(sandbox)
    studio = actions.wait_until_live(browse("/"))
    [running] = site.start(actions.unique_prompt(), name="admin")
    page = open_job(studio, actions.job(studio, running))
    expect(page.locator(".page-header")).to_have_attribute("data-status", "running")
    audit(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".page-header")).to_have_attribute("data-status", "cancelled")
    set_faults(sandbox, {"kind": "job", "seconds": 0.1, "fail": "moderation_refused"})
    [failed] = site.start(actions.unique_prompt())
    page = open_job(studio, actions.finished_job(studio, failed))
    expect(page.locator(".page-header")).to_have_attribute("data-status", "failed")
    audit(page)
    set_faults(sandbox)
    [succeeded] = site.start(actions.unique_prompt(), numResults=2)
    page = open_job(studio, actions.finished_job(studio, succeeded))
    expect(page.locator(".page-header")).to_have_attribute("data-status", "succeeded")
    for fold in page.locator("details").all():
        fold.locator("summary").click()
    audit(page)


def open_job(studio: Page, card: Locator) -> Page:
    """Open a job's page in another tab of the studio's context."""
    address = card.locator(".job-card-title a, .finished-job-title a").get_attribute("href")
    page = studio.context.new_page()
    page.goto(str(address))
    return page


def test_the_history_and_its_empty_result_are_accessible(browse: Opener, material: str) -> None:
    page = actions.wait_until_live(browse("/executions/"))
    expect(actions.row(page, material)).to_be_visible()
    audit(page)
    page.goto("/executions/?status=cancelled&tool=generate-sound-effect")
    expect(page.get_by_text("No matches.")).to_be_visible()
    audit(page)


def test_a_job_can_be_started_and_opened_by_keyboard(browse: Opener, site: Site) -> None:
    # Smooth scrolling would still be in progress when the focus is checked.
    page = browse("/", name=None, reduced_motion="reduce")
    keys = page.keyboard

    def tab_to(target: str) -> None:
        """Press Tab until the element with this id or label is focused; every element on the way must show its focus."""
        for _ in range(120):
            keys.press("Tab")
            focus = page.evaluate(FOCUS)
            if focus["tag"] in ("body", "html"):
                continue
            assert focus["isRinged"], f"no visible focus on {focus}"
            assert focus["isInViewport"], f"the focus is outside the viewport on {focus}"
            if target in (focus["id"], focus["label"]):
                return
        raise AssertionError(f"{target} is not reached by Tab")

    expect(page.get_by_label("Username")).to_be_focused()
    keys.type("member")
    tab_to("Password")
    keys.type(site.password)
    keys.press("Enter")
    actions.wait_until_live(page)

    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    keys.press("Enter")
    expect(page.locator("main")).to_be_focused()
    prompt = actions.unique_prompt()
    tab_to("Prompt")
    keys.type(prompt)
    tab_to("16:9")
    keys.press("ArrowRight")
    expect(page.get_by_label("1:1", exact=True)).to_be_checked()
    tab_to("start")
    keys.press("Enter")
    expect(page.locator(".tool-form-started")).to_be_visible()
    expect(page.locator("#start")).to_be_focused()

    actions.wait_until_finished(page, prompt)
    tab_to(prompt)
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(prompt)
    tab_to("Download")


def test_admin_pages_are_behind_one_button_on_a_phone(browse: Opener) -> None:
    page = browse("/audit/", viewport=PHONE)
    main = page.get_by_role("navigation", name="Main")
    people, more = main.get_by_role("link", name="People"), main.get_by_role("button", name="More")
    expect(people).to_be_hidden()
    more.press("Enter")
    expect(main.get_by_role("link", name="Audit")).to_have_attribute("aria-current", "page")
    page.keyboard.press("Escape")
    expect(people).to_be_hidden()
    expect(more).to_be_focused()
    more.click()
    people.click()
    page.wait_for_url("**/settings/people/")
    page.set_viewport_size(WIDE)
    expect(more).to_be_hidden()
    expect(people).to_be_visible()
    member = browse("/", name="member", viewport=PHONE)
    expect(member.get_by_role("navigation", name="Main").get_by_role("button")).to_have_count(0)
