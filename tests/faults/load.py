"""People who keep starting jobs while servers are killed or stopped, and restarted."""

from __future__ import annotations

import threading

import httpx

from tests import steps
from tests.waiting import DEADLINE

JOBS, THREADS = 30, 4


class Load:
    """People who start jobs. If the server does not respond, they send the same form again once it is back."""

    def __init__(self, cookies: httpx.Cookies, url: str) -> None:
        self.cookies = cookies
        self.url = url
        # Most jobs fail, which costs the sandbox no work; every fifth makes an image.
        self.prompts = [
            steps.unique_prompt() + ("" if number % 5 == 0 else " [fail]") for number in range(JOBS)
        ]
        self.is_up = threading.Event()
        self.is_up.set()
        self._prompts_left = list(self.prompts)
        self._threads = [threading.Thread(target=self._work) for _ in range(THREADS)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        with httpx.Client(cookies=self.cookies, timeout=20, trust_env=False, verify=False) as browser:
            while True:
                try:
                    prompt = self._prompts_left.pop()
                except IndexError:
                    return
                key = prompt.split()[2]
                form = {**steps.form(prompt), "key": key, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
                while not self._posted(browser, form):
                    pass

    def _posted(self, browser: httpx.Client, form: dict[str, str]) -> bool:
        assert self.is_up.wait(DEADLINE)
        try:
            return browser.post(f"{self.url}/tools/generate-image/", data=form).status_code == 303
        except httpx.TransportError:
            return False

    def down(self) -> None:
        self.is_up.clear()

    def up(self, url: str) -> None:
        self.url = url
        self.is_up.set()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(DEADLINE)
            assert not thread.is_alive()
