"""Time from a fresh clone to the first response, and the bytes that a browser fetches for the first page."""

from __future__ import annotations

import re
import subprocess
import time
from urllib.parse import urljoin, urlsplit

import httpx

from benchmarks.product import ROOT, folder, free_port, plain_environment, running, wait_until_answered
from benchmarks.table import Figure, at_most, info

PASSWORD = "the password of the benchmark"
LOADED = (
    re.compile(r'<link\b[^>]*\brel="(?:stylesheet|icon|modulepreload)"[^>]*\bhref="([^"]+)"'),
    re.compile(r'<(?:script|img)\b[^>]*\bsrc="([^"]+)"'),
    re.compile(r'@import\s+(?:url\()?["\']?([^"\')]+)'),
    re.compile(r'url\(["\']?([^"\')#]+)["\']?\)'),
    re.compile(r'^\s*import\b[^"\'\n]*["\']([^"\']+)["\']', re.MULTILINE),
)


def measure() -> list[Figure]:
    with folder() as place:
        clone, port, log = place / "rushes", free_port(), place / "make.log"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True, timeout=30)
        environment = plain_environment(PORT=str(port), DEMO_PASSWORD=PASSWORD)
        began = time.perf_counter()
        with running(["make", "run"], environment, log, clone) as process:
            url = f"http://127.0.0.1:{port}"
            wait_until_answered(f"{url}/sign-in/", process, log, pause=0.02, timeout=50)
            seconds = time.perf_counter() - began
            signing_in, studio = _weights(url)
        return [
            at_most("start: fresh clone, make run to the first answer", seconds, 20, "s", 1),
            at_most("start: the studio with everything it loads, compressed", studio / 1000, 100, "KB", 1),
            info("start: the sign-in page, likewise", signing_in / 1000, "KB", 1),
        ]


def _weights(url: str) -> tuple[int, int]:
    """Bytes of the sign-in page and of the studio, each as a browser with an empty cache fetches them."""
    with httpx.Client(base_url=url, follow_redirects=True, headers={"Accept-Encoding": "gzip"}) as browser:
        signing_in = _weight(browser, "/sign-in/")
        form = {
            "username": "member",
            "password": PASSWORD,
            "csrfmiddlewaretoken": browser.cookies["csrftoken"],
        }
        page = browser.post("/sign-in/", data=form)
        if urlsplit(str(page.url)).path != "/":
            raise RuntimeError(f"signing in ended at {page.url}")
        return signing_in, _weight(browser, "/")


def _weight(browser: httpx.Client, path: str) -> int:
    """Bytes sent for the page and, recursively, everything that it loads, each counted once."""
    waiting, sizes = [urljoin(str(browser.base_url), path)], dict[str, int]()
    while waiting:
        address = waiting.pop()
        if address in sizes:
            continue
        answer = browser.get(address)
        if answer.status_code != 200:
            raise RuntimeError(f"{address} returned {answer.status_code}")
        sizes[address] = answer.num_bytes_downloaded
        if answer.headers["content-type"].split(";")[0] in ("text/html", "text/css", "text/javascript"):
            found = (urljoin(address, name) for pattern in LOADED for name in pattern.findall(answer.text))
            waiting += [each for each in found if each.startswith(str(browser.base_url))]
    return sum(sizes.values())
