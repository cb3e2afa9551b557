"""The history's pages with 1,000 and 20,000 jobs. Neither queries nor time may grow with the number of jobs."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import httpx
from selectolax.lexbor import LexborHTMLParser

from benchmarks.product import Rushes, folder, rushes
from benchmarks.sites import QUERIES_HEADER
from benchmarks.table import Figure

SIZES = (1_000, 20_000)
REQUESTS = 15  # per page
MAX_RATIO = 1.5  # of the times at both sizes


@dataclass(frozen=True)
class Page:
    queries: int
    seconds: float


def measure() -> list[Figure]:
    small, large = (_pages(size) for size in SIZES)
    figures = []
    for name in small:
        few, many = small[name], large[name]
        what = f"history: {name}, at {SIZES[0]:,} and {SIZES[1]:,} jobs"
        grown = many.seconds / few.seconds
        figures += [
            Figure(
                f"{what}: queries", f"{few.queries} and {many.queries}", "equal", few.queries == many.queries
            ),
            Figure(
                f"{what}: time",
                f"{few.seconds * 1000:.0f} and {many.seconds * 1000:.0f} ms",
                f"at most {MAX_RATIO:g} times",
                grown <= MAX_RATIO,
            ),
        ]
    return figures


def _pages(size: int) -> dict[str, Page]:
    with folder() as place, rushes(place, finished_jobs=size, settings="benchmarks.sites.counted") as product:
        middle = product.seeded.finished[size // 2]
        paths = {
            "first page": "/executions/",
            "a page in the middle": f"/executions/?after={middle}",
            "failed, one tool": "/executions/?status=failed&tool=text-to-speech",
        }
        return {name: _page(product, path) for name, path in paths.items()}


def _page(product: Rushes, path: str) -> Page:
    """The number of queries of one response, and the median time of many."""
    seconds, queries = [], 0
    with httpx.Client(base_url=product.url, headers={"Cookie": product.cookie("admin")}) as browser:
        for _ in range(REQUESTS + 2):
            began = time.perf_counter()
            answer = browser.get(path)
            seconds.append(time.perf_counter() - began)
            if answer.status_code != 200 or len(LexborHTMLParser(answer.text).css('[id^="row-"]')) < 50:
                raise RuntimeError(f"{path} returned {answer.status_code} or too few rows")
            queries = int(answer.headers[QUERIES_HEADER])
    return Page(queries, statistics.median(seconds[2:]))
