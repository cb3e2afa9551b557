"""The library with 1,000 and with 100,000 files: the first page and each filter must not grow with the files."""

from __future__ import annotations

import statistics
import time

import httpx

from benchmarks.product import Rushes, folder, rushes
from benchmarks.shelves import COMMON, NONE, RARE, SOME
from benchmarks.table import Figure

SIZES = (1_000, 100_000)
ASKED = 21  # times for each page, at both in turns
SLOWER = 1.3  # what the larger may take of the smaller's time
PAGES = {
    "first page": "",
    "a type": "?type=AUDIO",
    "a tool": "?tool=upscale-image",
    "a type and a tool": "?type=IMAGE&tool=upscale-image",
    "a type and a tool that never makes it": "?type=VIDEO&tool=generate-image",
    "a person": "?person={person}",
    "a person and a kind": "?person={person}&scope=TEMPORARY",
    "all four, nothing found": "?type=AUDIO&tool=upscale-image&person={person}&scope=PROJECT",
    "what is archived": "?show=archived",
    "a word of every name": f"?q={COMMON}",
    "a word of many names": f"?q={SOME}",
    "a word of a hundred names": f"?q={RARE}",
    "a word of no name": f"?q={NONE}",
    "a word of many names, of a type and a tool that never makes it": f"?q={SOME}&type=VIDEO&tool=generate-image",
}


LONGEST = 300  # seconds


def measure() -> list[Figure]:
    with (
        folder() as few,
        folder() as many,
        rushes(few, files=SIZES[0]) as small,
        rushes(many, files=SIZES[1]) as large,
    ):
        return [_compared(name, path, small, large) for name, path in PAGES.items()]


def _compared(name: str, path: str, small: Rushes, large: Rushes) -> Figure:
    """Each page is asked for at both products in turns, so that what else the machine does is shared."""
    seconds: dict[str, list[float]] = {small.url: [], large.url: []}
    for _ in range(ASKED + 2):
        for product in (small, large):
            began = time.perf_counter()
            address = f"{product.url}/files/{path.format(person=product.seeded.maker)}"
            answer = httpx.get(
                address, headers={"Cookie": product.cookie("admin")}, timeout=30, trust_env=False
            )
            seconds[product.url].append(time.perf_counter() - began)
            if answer.status_code != 200:
                raise RuntimeError(f"{path} was answered with {answer.status_code}")
    before, after = (statistics.median(seconds[product.url][2:]) for product in (small, large))
    return Figure(
        f"library: {name}, at {SIZES[0]:,} and {SIZES[1]:,} files",
        f"{before * 1000:.0f} and {after * 1000:.0f} ms",
        f"at most {SLOWER:g} times",
        after / before <= SLOWER,
    )
