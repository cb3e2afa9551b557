"""1,000 open pages: the memory of each, and the time until the last one has received a changed card."""

from __future__ import annotations

import asyncio
import resource
import statistics
import time

from benchmarks.deliveries import RECEIVER, succeeded
from benchmarks.load import Connection, post
from benchmarks.pages import Pages, pages
from benchmarks.product import Rushes, folder, rushes
from benchmarks.table import Figure, at_most, info

COUNT = 1000
ROUNDS = 10


def measure() -> list[Figure]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Client and server each need a file descriptor per socket; the server inherits this limit.
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * COUNT)), hard))
    with folder() as place, rushes(place, running_jobs=ROUNDS + 2) as product:
        return asyncio.run(_measure(product))


async def _measure(product: Rushes) -> list[Figure]:
    connection = await Connection.to(product.host)
    jobs = iter(product.seeded.running)
    async with pages(product, 10) as few:
        # Warm up: the first change loads templates and threads, which must not count as sockets' memory.
        await _change(product, few, connection, *next(jobs))
    before = product.memory()
    began = time.perf_counter()
    async with pages(product, COUNT) as many:
        opened = time.perf_counter() - began
        await _change(product, many, connection, *next(jobs))
        each = (product.memory() - before) / COUNT
        lasts = [await _change(product, many, connection, *next(jobs)) for _ in range(ROUNDS)]
    connection.close()
    return [
        info(f"sockets: memory of each of {COUNT:,}", each / 1024, "KB"),
        info(f"sockets: time to open {COUNT:,}", opened, "s", 1),
        at_most(
            f"sockets: POST until the last of {COUNT:,} has the card, median of {ROUNDS}",
            statistics.median(lasts),
            0.5,
            "s",
            2,
        ),
        info("sockets: the same, the slowest round", max(lasts), "s", 2),
    ]


async def _change(
    product: Rushes, open_pages: Pages, connection: Connection, own_id: str, remote_id: str
) -> float:
    """Seconds from the POST of a job's success until the last page has received it."""
    delivery = succeeded(remote_id, product.secret)
    open_pages.look_for(own_id)
    began = time.perf_counter()
    answer = await connection.send(post(RECEIVER, product.host, delivery.headers, delivery.body))
    if answer.status != 200:
        raise RuntimeError(f"a delivery returned {answer.status}: {answer.body!r}")
    return max(await open_pages.seen(own_id)) - began
