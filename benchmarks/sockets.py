"""1,000 open pages: what each costs in memory, and when the last of them has a changed card."""

from __future__ import annotations

import asyncio
import resource
import statistics
import time

from benchmarks.deliveries import RECEIVER, succeeded
from benchmarks.load import Connection, post
from benchmarks.pages import Pages, pages
from benchmarks.product import Rushes, folder, rushes
from benchmarks.table import Figure, at_most, told

COUNT = 1000
ROUNDS = 10


def measure() -> list[Figure]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Both ends of every socket need a file: ours and, as it inherits the limit, the server's.
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4 * COUNT)), hard))
    with folder() as place, rushes(place, running_jobs=ROUNDS + 2) as product:
        return asyncio.run(_measure(product))


async def _measure(product: Rushes) -> list[Figure]:
    connection = await Connection.to(product.host)
    jobs = iter(product.seeded.running)
    async with pages(product, 10) as few:
        # The first change loads templates and threads, which is not the sockets' memory.
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
        told(f"sockets: memory of each of {COUNT:,}", each / 1024, "KB"),
        told(f"sockets: time to open {COUNT:,}", opened, "s", 1),
        at_most(
            f"sockets: POST until the last of {COUNT:,} has the card, median of {ROUNDS}",
            statistics.median(lasts),
            0.5,
            "s",
            2,
        ),
        told("sockets: the same, the slowest round", max(lasts), "s", 2),
    ]


async def _change(
    product: Rushes, open_pages: Pages, connection: Connection, own_id: str, remote_id: str
) -> float:
    """Seconds from the POST of a job's end until the last page has it."""
    delivery = succeeded(remote_id, product.secret)
    open_pages.look_for(own_id)
    began = time.perf_counter()
    answer = await connection.ask(post(RECEIVER, product.host, delivery.headers, delivery.body))
    if answer.status != 200:
        raise RuntimeError(f"a delivery was answered with {answer.status}: {answer.body!r}")
    return max(await open_pages.seen(own_id)) - began
