"""A page's socket, connected through the complete ASGI application."""

from __future__ import annotations

from typing import Any

from channels.testing import WebsocketCommunicator

from tests.dashboard.browsers import Browser
from tests.markup import every
from tests.waiting import DEADLINE

HOST = b"testserver"
OWN_ORIGIN = b"http://testserver"


def socket(browser: Browser | None, topic: str, origin: bytes | None = OWN_ORIGIN) -> WebsocketCommunicator:
    """A socket that is not connected yet; anonymous without `browser`."""
    from dashboard.asgi import application

    headers = [(b"host", HOST)]
    if origin is not None:
        headers.append((b"origin", origin))
    if browser is not None:
        headers.append((b"cookie", browser.cookie_header))
    return WebsocketCommunicator(application, f"/ws/live/?topic={topic}", headers=headers)


async def open_socket(browser: Browser, topic: str) -> WebsocketCommunicator:
    """A connected socket."""
    page = socket(browser, topic)
    connected, code = await page.connect(timeout=DEADLINE)
    assert connected, f"refused with {code}"
    return page


async def refusal_code(page: WebsocketCommunicator) -> int:
    """The code with which a socket is refused; fails if it is accepted."""
    connected, code = await page.connect(timeout=DEADLINE)
    assert not connected
    return int(code or 0)


async def receive_until(page: WebsocketCommunicator, text: str) -> str:
    """The first frame that contains `text`, ignoring those before it."""
    while True:
        frame: str = await page.receive_from(timeout=DEADLINE)
        if text in frame:
            return frame


async def assert_no_job_follows(page: WebsocketCommunicator) -> None:
    """Asserts that no more frames follow, except for the count in flight."""
    while not await page.receive_nothing(timeout=0.1):  # shows that nothing is sent
        frame: Any = await page.receive_from(timeout=DEADLINE)
        assert every(frame, "#nav-in-flight"), frame
