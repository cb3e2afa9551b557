"""Simulated people who start jobs, cancel some, upload files and open pages, while servers are killed."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
from selectolax.lexbor import LexborHTMLParser

from executions.core.ids import as_uuid
from soak.forms import PlannedJob
from soak.site import PASSWORD, Site

PEOPLE = 4
TIMEOUT = 30.0  # seconds per request
PAGES = ("/", "/executions/", "/files/", "/settings/deliveries/")
CANCELS = '[formaction^="/executions/"][formaction$="/cancel/"]'
# Shown in the form when VideoGen refused the job (templates/studio/_tool_form.html).
REFUSAL = ".tool-form-refusal"
# A PNG of one grey pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b550000000a49444154789c636000000002000148afa471"
    "0000000049454e44ae426082"
)


def attributes(page: httpx.Response, selector: str, name: str) -> list[str]:
    """The values of this attribute of the matching elements."""
    return [each.attributes[name] or "" for each in LexborHTMLParser(page.text).css(selector)]


def file_ids(page: httpx.Response) -> list[str]:
    """The files that a page links to or shows."""
    paths = [*attributes(page, 'a[href^="/files/"]', "href"), *attributes(page, 'img[src^="/files/"]', "src")]
    return [name for path in paths if as_uuid(name := path.split("/")[2])]


class Load:
    """`done` counts the forms with a final answer; `answers` counts responses and transport errors by kind."""

    def __init__(self, site: Site, jobs: list[PlannedJob], seconds: float, voice: str) -> None:
        self._site = site
        self._jobs = deque(jobs)
        self._pause = seconds / max(1, len(jobs))
        self._voice = voice
        self.files: dict[str, str] = {}
        self.done = 0
        self.answers: Counter[str] = Counter()
        self.uploads = 0
        self.cookies = self._signed_in()
        self._lock = threading.Lock()
        self._due = time.monotonic()
        self._threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(PEOPLE)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def is_over(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _signed_in(self) -> httpx.Cookies:
        with httpx.Client(base_url=self._site.servers[0].url, timeout=TIMEOUT, trust_env=False) as browser:
            browser.get("/sign-in/").raise_for_status()
            token = browser.cookies["csrftoken"]
            form = {"username": "soak", "password": PASSWORD, "csrfmiddlewaretoken": token}
            answer = browser.post("/sign-in/", data=form)
            if answer.status_code != 302:
                raise RuntimeError(f"signing in failed with {answer.status_code}")
            return browser.cookies

    def first(self, job: PlannedJob) -> None:
        """Start one of the jobs whose files other tools need."""
        with self._browser() as browser:
            self._until_answered(browser, lambda: self._start(browser, job))

    def _browser(self) -> httpx.Client:
        return httpx.Client(cookies=self.cookies, timeout=TIMEOUT, trust_env=False)

    def _next(self) -> PlannedJob | None:
        """Wait until the next job is due, and return it; None when all are started."""
        with self._lock:
            if not self._jobs:
                return None
            job = self._jobs.popleft()
            wait, self._due = self._due - time.monotonic(), max(self._due, time.monotonic()) + self._pause
        if wait > 0:
            time.sleep(wait)
        return job

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        with self._browser() as browser:
            while (job := self._next()) is not None:
                self._until_answered(browser, lambda job=job: self._start(browser, job))  # type: ignore[misc]
                with self._lock:
                    self.done += 1
                match chance.random():
                    case share if share < 0.2:
                        self._until_answered(browser, lambda: self._cancel_some(browser, chance))
                    case share if share < 0.25:
                        self._until_answered(browser, lambda: self._upload(browser))
                    case share if share < 0.5:
                        self._until_answered(browser, lambda: self._visit(browser, chance))

    def _until_answered(self, browser: httpx.Client, act: Callable[[], httpx.Response | None]) -> None:
        """Repeat the act until it gets a response below 500, as a person would."""
        while True:
            try:
                answer = act()
            except httpx.TransportError as error:
                self._note(type(error).__name__)
            else:
                if answer is None or answer.status_code < 500:
                    return
                self._note(str(answer.status_code))
            time.sleep(0.2)

    def _note(self, what: str) -> None:
        with self._lock:
            self.answers[what] += 1

    def _url(self, path: str) -> str:
        return f"{random.choice(self._site.servers).url}{path}"

    def _start(self, browser: httpx.Client, job: PlannedJob) -> httpx.Response:
        form = job.form(self.files, self._voice) | self._token()
        answer = browser.post(self._url(f"/tools/{job.tool.slug}/"), data=form)
        self._note(f"start {answer.status_code}")
        if answer.status_code == 422 and not attributes(answer, REFUSAL, "class"):
            # No job was started: the voices could not be loaded, so a field could not be checked. Try again.
            return httpx.Response(503)
        return answer

    def _cancel_some(self, browser: httpx.Client, chance: random.Random) -> httpx.Response | None:
        page = browser.get(self._url("/board/"))
        addresses = attributes(page, CANCELS, "formaction")
        if page.status_code != 200 or not addresses:
            return page
        return browser.post(self._url(chance.choice(addresses)), data=self._token())

    def _upload(self, browser: httpx.Client) -> httpx.Response:
        headers = {
            "Content-Type": "application/octet-stream",
            "X-CSRFToken": self._token()["csrfmiddlewaretoken"],
        }
        answer = browser.post(self._url("/files/upload/?name=pixel.png"), content=PIXEL, headers=headers)
        self.uploads += answer.status_code == 201
        return answer

    def _visit(self, browser: httpx.Client, chance: random.Random) -> httpx.Response:
        page = browser.get(self._url(chance.choice(PAGES)))
        if page.status_code == 200 and (files := file_ids(page)):
            # The redirect leads to the sandbox, which may be failing.
            answer = browser.get(self._url(f"/files/{chance.choice(files)}/download"))
            if answer.status_code == 302:
                with suppress(httpx.TransportError):
                    browser.get(answer.headers["location"])
        return page

    def _token(self) -> dict[str, Any]:
        return {"csrfmiddlewaretoken": self.cookies["csrftoken"]}
