"""Deliveries accepted per second, 16 at a time, compared with the most that the same process can answer."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator

from benchmarks.deliveries import RECEIVER, succeeded
from benchmarks.load import Answer, Connection, post
from benchmarks.product import Rushes, folder, rushes
from benchmarks.table import Figure, at_least, at_most, info, percentile

CONNECTIONS = 16
ROUNDS = 5
SECONDS = 1.5  # of each kind in each round
JOBS = 4000
TRIVIAL, BARE = "/benchmark/trivial/", "/benchmark/bare/"


def measure() -> list[Figure]:
    with folder() as place, rushes(place, running_jobs=JOBS, settings="benchmarks.sites.trivial") as product:
        return asyncio.run(_measure(product))


async def _measure(product: Rushes) -> list[Figure]:
    made = [succeeded(remote_id, product.secret) for _, remote_id in product.seeded.running]
    deliveries = iter([post(RECEIVER, product.host, each.headers, each.body) for each in made])
    kinds: dict[str, Iterator[bytes]] = {
        path: itertools.repeat(post(path, product.host, made[0].headers, made[0].body))
        for path in (TRIVIAL, BARE)
    }
    kinds[RECEIVER] = deliveries
    connections = [await Connection.to(product.host) for _ in range(CONNECTIONS)]
    answers: dict[str, list[Answer]] = {path: [] for path in kinds}
    seconds = dict.fromkeys(kinds, 0.0)
    for requests in kinds.values():
        await _answers(connections, itertools.islice(requests, 100), SECONDS)
    for _, (path, requests) in itertools.product(range(ROUNDS), kinds.items()):
        began = time.perf_counter()
        answers[path] += await _answers(connections, requests, SECONDS)
        seconds[path] += time.perf_counter() - began
    for connection in connections:
        connection.close()
    wrong = [each for each in answers[RECEIVER] if each.status != 200 or b"applied" not in each.body]
    if wrong:
        raise RuntimeError(
            f"{len(wrong)} deliveries were not applied; the first: {wrong[0].status} {wrong[0].body!r}"
        )
    rate = {path: len(answers[path]) / seconds[path] for path in kinds}
    waits = [each.seconds * 1000 for each in answers[RECEIVER]]
    return [
        info(f"ingest: deliveries per second, {CONNECTIONS} at a time", rate[RECEIVER], "/s"),
        info("ingest: a trivial async view of the same process", rate[TRIVIAL], "/s"),
        at_least("ingest: deliveries to that trivial view", rate[RECEIVER] / rate[TRIVIAL], 0.5),
        info("ingest: the same view without any middleware", rate[BARE], "/s"),
        info("ingest: deliveries to that bare view", rate[RECEIVER] / rate[BARE], "", 2),
        info("ingest: time of a delivery, p50", percentile(waits, 0.5), "ms"),
        at_most("ingest: time of a delivery, p99", percentile(waits, 0.99), 200, "ms"),
    ]


async def _answers(connections: list[Connection], requests: Iterator[bytes], seconds: float) -> list[Answer]:
    """Every connection sends one request after the other, until the time or the requests are used up."""
    until = time.perf_counter() + seconds
    answers: list[Answer] = []

    async def send_all(connection: Connection) -> None:
        while time.perf_counter() < until and (request := next(requests, None)):
            answers.append(await connection.send(request))

    await asyncio.gather(*map(send_all, connections))
    return answers
