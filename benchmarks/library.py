"""The library with 1,000 and 100,000 files. No page may become slower with the number of files."""

from __future__ import annotations

import statistics
import time

import httpx

from benchmarks.product import Rushes, folder, rushes
from benchmarks.shelves import COMMON, NONE, RARE, SOME
from benchmarks.table import Figure

SIZES = (1_000, 100_000)
REQUESTS = 21  # per page and size, in turns
MAX_RATIO = 1.3  # of the times at both sizes
PAGES = {
    "first page": "",
    "a type": "?type=AUDIO",
    "a tool": "?tool=upscale-image",
    "a type and a tool": "?type=IMAGE&tool=upscale-image",
    "a type and a tool that never makes that type": "?type=VIDEO&tool=generate-image",
    "a person": "?person={person}",
    "a person and a kind": "?person={person}&scope=TEMPORARY",
    "all four, no match": "?type=AUDIO&tool=upscale-image&person={person}&scope=PROJECT",
    "archived files": "?show=archived",
    "a word of every name": f"?q={COMMON}",
    "a word of many names": f"?q={SOME}",
    "a word of a hundred names": f"?q={RARE}",
    "a word of no name": f"?q={NONE}",
    "a word of many names, of a type and a tool that never makes that type": f"?q={SOME}&type=VIDEO&tool=generate-image",
}


TIMEOUT = 300  # seconds


def measure() -> list[Figure]:
    with (
        folder() as few,
        folder() as many,
        rushes(few, files=SIZES[0]) as small,
        rushes(many, files=SIZES[1]) as large,
    ):
        return [_compared(name, path, small, large) for name, path in PAGES.items()]


def _compared(name: str, path: str, small: Rushes, large: Rushes) -> Figure:
    """Query both servers in turns, so that other load on the machine affects both."""
    seconds: dict[str, list[float]] = {small.url: [], large.url: []}
    for _ in range(REQUESTS + 2):
        for product in (small, large):
            began = time.perf_counter()
            address = f"{product.url}/files/{path.format(person=product.seeded.maker)}"
            answer = httpx.get(
                address, headers={"Cookie": product.cookie("admin")}, timeout=30, trust_env=False
            )
            seconds[product.url].append(time.perf_counter() - began)
            if answer.status_code != 200:
                raise RuntimeError(f"{path} returned {answer.status_code}")
    before, after = (statistics.median(seconds[product.url][2:]) for product in (small, large))
    return Figure(
        f"library: {name}, at {SIZES[0]:,} and {SIZES[1]:,} files",
        f"{before * 1000:.0f} and {after * 1000:.0f} ms",
        f"at most {MAX_RATIO:g} times",
        after / before <= MAX_RATIO,
    )
