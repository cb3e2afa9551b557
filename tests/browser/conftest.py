"""Tests in a real Chromium against real processes. They need no test database of Django.

Each test fails on errors that the browser reports and the test does not expect: console errors and warnings,
violations of the content security policy, exceptions.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    expect,
    sync_playwright,
)

from tests.browser.proxy import Proxy
from tests.browser.site import Site
from tests.conftest import SandboxProcess

pytestmark = pytest.mark.browser
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
expect.set_options(timeout=30_000)  # for a busy machine; no test measures speed


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site") / "data")
    try:
        yield site
        site.stop()
    finally:
        site.end()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def sandbox(site: Site) -> Iterator[SandboxProcess]:
    """The sandbox that the server uses, without faults; those that a test sets are removed afterwards."""
    site.sandbox.control("DELETE", "faults")
    yield site.sandbox
    site.sandbox.control("DELETE", "faults")


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    """Ask for it before `browse`: pages must be closed before it is."""
    proxy = Proxy(site.port)
    yield proxy
    proxy.close()


@dataclass
class BrowserErrors:
    """What the browser reported, and the regular expressions of what the test expects."""

    reported: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    def listen(self, context: BrowserContext) -> None:
        context.on("console", self._on_console)
        context.on("weberror", lambda error: self.reported.append(f"exception: {error.error}"))

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.reported.append(f"{message.type}: {message.text} ({message.location['url']})")

    def unexpected(self) -> list[str]:
        return [text for text in self.reported if not any(re.search(each, text) for each in self.expected)]


@pytest.fixture
def browser_errors() -> BrowserErrors:
    return BrowserErrors()


type Opener = Callable[..., Page]


@pytest.fixture(scope="session")
def sessions(site: Site, chromium: Browser) -> dict[str, Any]:
    """The cookies of each demo person, who signs in once."""
    cookies = {}
    for name in site.people:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{site.url}/sign-in/")
        page.get_by_label("Username").fill(name)
        page.get_by_label("Password").fill(site.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="In flight")).to_be_visible()
        cookies[name] = context.storage_state()
        context.close()
    return cookies


@pytest.fixture
def browse(
    site: Site,
    chromium: Browser,
    sessions: dict[str, Any],
    browser_errors: BrowserErrors,
    sandbox: SandboxProcess,
) -> Iterator[Opener]:
    """Opens `path` in a new browser context, signed in as `name` (None: anonymous)."""
    contexts: list[BrowserContext] = []

    def open_page(
        path: str = "/",
        name: str | None = "admin",
        base: str = "",
        viewport: ViewportSize = WIDE,
        **options: Any,
    ) -> Page:
        context = chromium.new_context(
            base_url=base or site.url,
            storage_state=sessions[name] if name else None,
            viewport=viewport,
            **options,
        )
        context.set_default_timeout(45_000)
        contexts.append(context)
        browser_errors.listen(context)
        page = context.new_page()
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert browser_errors.unexpected() == []
