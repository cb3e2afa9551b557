"""Every page for everybody: axe finds nothing, nothing is wider than a phone, and no mouse is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.browser import acts
from tests.browser.conftest import PHONE, WIDE, Complaints, Opener
from tests.browser.site import Site, order
from tests.conftest import SandboxProcess

# axe's own words for what it found: rule, and where.
FINDINGS = """async ([within, options]) => {
  const { violations } = await axe.run(within, { resultTypes: ['violations'], ...options })
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`)
}"""
TOO_WIDE = "() => document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}

type Looks = Sequence[tuple[ViewportSize, Literal["light", "dark"], dict[str, Any]]]
# Colours are all that differs between the schemes.
LOOKS: Looks = ((WIDE, "light", {}), (WIDE, "dark", COLOURS), (PHONE, "dark", {}), (PHONE, "light", COLOURS))
TWO_LOOKS: Looks = ((WIDE, "light", {}), (PHONE, "dark", {}))

# What has the focus, whether it shows (itself, or what wraps a control that is not drawn), and whether it is in sight.
FOCUS = """() => {
  const at = document.activeElement
  const rings = [at, at.closest('label'), at.closest('tr'), at.nextElementSibling].filter(Boolean)
  const shows = rings.some((each) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(each)
    return outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2
  })
  const { top, bottom, left, right } = at.getBoundingClientRect()
  const inSight = bottom > 0 && right > 0 && top < innerHeight && left < innerWidth
  const words = at.getAttribute('aria-label') ?? at.labels?.[0]?.innerText ?? at.innerText ?? ''
  return { tag: at.localName, id: at.id, words: words.trim(), shows, inSight }
}"""


def audit(page: Page, within: str = "html", looks: Looks = LOOKS) -> None:
    """Each of these looks, from one load of the page; `within` is a selector."""
    page.evaluate(AXE_SCRIPT)
    page.emulate_media(reduced_motion="reduce")
    findings = []
    for viewport, scheme, options in looks:
        page.set_viewport_size(viewport)
        page.emulate_media(color_scheme=scheme)
        found = page.evaluate(FINDINGS, [within, options])
        findings += [f"{scheme} {viewport['width']}: {each}" for each in found]
        if over := page.evaluate(TOO_WIDE):
            findings.append(f"{viewport['width']}: {over} px too wide")
    assert findings == []


@pytest.fixture
def material(site: Site) -> str:
    """The prompt of a finished picture: forms that work from one have something to offer."""
    [prompt] = site.start(
        acts.words("A word as long as Donaudampfschifffahrtselektrizitätenhauptbetriebswerk")
    )
    return prompt


def test_signing_in(browse: Opener, complaints: Complaints) -> None:
    complaints.expected.append("status of 422")
    page = browse("/", name=None)
    audit(page)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_label("Username")).to_have_attribute("aria-invalid", "true")
    audit(page)


def test_a_page_that_is_not_there(browse: Opener, complaints: Complaints) -> None:
    complaints.expected.append("status of 404")
    page = browse("/nothing/here/")
    expect(page.get_by_role("heading", name="Page not found")).to_be_visible()
    audit(page)


def test_the_studio_with_every_kind_of_card(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    order(sandbox, {"kind": "job", "fail": "moderation_refused", "seconds": 0.1})
    [failed] = site.start(acts.words())
    page = acts.live(browse("/"))
    acts.ended(page, failed, "failed")
    order(sandbox)
    [picture] = site.start(acts.words(), name="admin", numResults=2)
    [speech] = site.start(acts.words("Words that are spoken."), tool="text-to-speech")
    for prompt in (picture, speech):
        acts.ended(page, prompt)
    order(sandbox, {"kind": "job", "seconds": 60})
    [running] = site.start(acts.words(), name="admin")
    expect(acts.job(page, running)).to_have_attribute("data-status", "running")
    audit(page)
    page.locator("#composer summary", has_text="More options").click()
    page.get_by_role("button", name="Use it in another tool").first.click()
    expect(page.locator(".menu:popover-open")).to_be_visible()
    audit(page)
    page.keyboard.press("Escape")
    acts.job(page, running).get_by_role("button", name="Cancel").click()
    acts.ended(page, running, "cancelled")


def test_the_form_of_every_tool(browse: Opener, material: str) -> None:
    page = acts.live(browse("/"))
    acts.take(page, material).wait_for()
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
        audit(page, "#composer", TWO_LOOKS)


def test_a_job_from_running_to_its_end(browse: Opener, site: Site, sandbox: SandboxProcess) -> None:
    order(sandbox, {"kind": "job", "seconds": 60})
    studio = acts.live(browse("/"))
    [running] = site.start(acts.words(), name="admin")
    page = open_job(studio, acts.job(studio, running))
    expect(page.locator(".page-header")).to_have_attribute("data-status", "running")
    audit(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(".page-header")).to_have_attribute("data-status", "cancelled")
    order(sandbox, {"kind": "job", "seconds": 0.1, "fail": "moderation_refused"})
    [failed] = site.start(acts.words())
    page = open_job(studio, acts.take(studio, failed))
    expect(page.locator(".page-header")).to_have_attribute("data-status", "failed")
    audit(page)
    order(sandbox)
    [succeeded] = site.start(acts.words(), numResults=2)
    page = open_job(studio, acts.take(studio, succeeded))
    expect(page.locator(".page-header")).to_have_attribute("data-status", "succeeded")
    for fold in page.locator("details").all():
        fold.locator("summary").click()
    audit(page)


def open_job(studio: Page, card: Locator) -> Page:
    """A job's page, in a tab beside the studio."""
    address = card.locator(".job-card-title a, .finished-job-title a").get_attribute("href")
    page = studio.context.new_page()
    page.goto(str(address))
    return page


def test_the_history(browse: Opener, material: str) -> None:
    page = acts.live(browse("/executions/"))
    expect(acts.row(page, material)).to_be_visible()
    audit(page)
    page.goto("/executions/?status=cancelled&tool=generate-sound-effect")
    expect(page.get_by_text("No matches.")).to_be_visible()
    audit(page)


def test_a_job_can_be_started_and_opened_by_keyboard_alone(browse: Opener, site: Site) -> None:
    # Smooth scrolling would still be on its way when the focus is looked at.
    page = browse("/", name=None, reduced_motion="reduce")
    keys = page.keyboard

    def tab_to(what: str) -> None:
        """Press Tab until it is reached; whatever is passed on the way shows that it has the focus."""
        for _ in range(120):
            keys.press("Tab")
            focus = page.evaluate(FOCUS)
            if focus["tag"] in ("body", "html"):
                continue
            assert focus["shows"], f"no focus is seen on {focus}"
            assert focus["inSight"], f"the focus is out of sight on {focus}"
            if what in (focus["id"], focus["words"]):
                return
        raise AssertionError(f"{what} is not reached by Tab")

    expect(page.get_by_label("Username")).to_be_focused()
    keys.type("member")
    tab_to("Password")
    keys.type(site.password)
    keys.press("Enter")
    acts.live(page)

    keys.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    keys.press("Enter")
    expect(page.locator("main")).to_be_focused()
    prompt = acts.words()
    tab_to("Prompt")
    keys.type(prompt)
    tab_to("16:9")
    keys.press("ArrowRight")
    expect(page.get_by_label("1:1", exact=True)).to_be_checked()
    tab_to("start")
    keys.press("Enter")
    expect(page.locator(".tool-form-started")).to_be_visible()
    expect(page.locator("#start")).to_be_focused()

    acts.ended(page, prompt)
    tab_to(prompt)
    keys.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(prompt)
    tab_to("Download")


def test_on_a_phone_what_is_for_admins_is_behind_one_button(browse: Opener) -> None:
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
