"""Deliveries at a steady rate: 200 a second for a minute on PostgreSQL, and the highest rate that SQLite sustains.

Each delivery is sent when it is due, whether or not earlier ones were answered. Its time runs from when it was due.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from benchmarks.cluster import Cluster
from benchmarks.deliveries import RECEIVER, succeeded
from benchmarks.load import Answer, Connection, post
from benchmarks.product import (
    ROOT,
    folder,
    free_port,
    new_secret,
    plain_environment,
    running,
    rushes,
    wait_until_answered,
)
from benchmarks.table import Figure, at_least, at_most, info, percentile

TIMEOUT = 600  # seconds
RATE, SECONDS = 200, 60  # on PostgreSQL
WEB_PROCESSES = 2
MAX_P99 = 250  # milliseconds; a rate is held while p99 is at most this
STEPS = (10, 20, 40, 60, 80, 100, 125, 150, 200)  # deliveries a second
STEP_SECONDS = 6
WARM_UP = 100  # deliveries before anything is measured, at 20 a second
RETRY_AFTER = 5.0  # seconds until a failed delivery is sent again, as the receiver requests
MAX_TRIES = 30
ENDED = "SELECT count(*) FROM executions_execution WHERE status = 'succeeded'"


def measure() -> list[Figure]:
    return [*on_postgres(), *on_sqlite()]


@dataclass(frozen=True)
class Run:
    """Deliveries at one rate. `again`: how many failed at the first attempt and were sent again."""

    waits: list[float]  # milliseconds until the first answer
    again: int

    @property
    def p99(self) -> float:
        return percentile(self.waits, 0.99)

    @property
    def holds(self) -> bool:
        return not self.again and self.p99 <= MAX_P99


def held(hosts: Sequence[tuple[str, int]], ids: list[str], secret: str) -> tuple[int, Run]:
    """The highest rate that is held, and its run."""
    asyncio.run(sent(hosts, ids[:WARM_UP], secret, 20))
    first, rate_held, best = WARM_UP, 0, Run([0.0], 0)
    for rate in STEPS:
        last = first + rate * STEP_SECONDS
        run = asyncio.run(sent(hosts, ids[first:last], secret, rate))
        if not run.holds:
            break
        first, rate_held, best = last, rate, run
    return rate_held, best


SEARCHED = WARM_UP + sum(STEPS) * STEP_SECONDS  # jobs that the search needs at most


# --- PostgreSQL -------------------------------------------------------------------------------------------


def on_postgres() -> list[Figure]:
    with folder() as place, Cluster() as cluster:
        secret = new_secret()
        environment = plain_environment(
            DATA_DIR=str(place / "seed"),
            DATABASE_URL=cluster.url(),
            SECRET_KEY=secrets.token_urlsafe(50),
            ALLOWED_HOSTS="127.0.0.1",
            PUBLIC_URL="http://127.0.0.1:8000",
            VIDEOGEN_API_KEY="benchmark",
            VIDEOGEN_BASE_URL=f"http://127.0.0.1:{free_port()}",
            VIDEOGEN_WEBHOOK_SECRET=secret,
        )
        wanted = RATE * SECONDS
        ids = seeded(environment, SEARCHED + wanted)
        with web_processes(place, environment) as hosts:
            rate, best = held(hosts, ids[:SEARCHED], secret)
            before = ended(cluster)
            run = asyncio.run(sent(hosts, ids[SEARCHED:], secret, RATE))
            taken = ended(cluster) - before
    return [
        info(f"steady: PostgreSQL, two web processes hold (p99 at most {MAX_P99} ms)", rate, "/s"),
        info("steady: PostgreSQL, at that rate, p99", best.p99, "ms"),
        at_least("steady: PostgreSQL, 200 a second for 60 s, applied of 12,000", taken, wanted, digits=0),
        info("steady: PostgreSQL, 200 a second for 60 s, sent again (503)", run.again, ""),
        info("steady: PostgreSQL, 200 a second for 60 s, p50", percentile(run.waits, 0.5), "ms"),
        at_most("steady: PostgreSQL, 200 a second for 60 s, p99", run.p99, MAX_P99, "ms"),
    ]


def ended(cluster: Cluster) -> int:
    with psycopg.connect(cluster.url()) as database:
        row = database.execute(ENDED).fetchone()
    return row[0] if row else 0


def seeded(environment: dict[str, str], jobs: int) -> list[str]:
    """Seed running jobs and return VideoGen's ids of them."""
    command = [sys.executable, "-m", "benchmarks.seed", "--running", str(jobs)]
    subprocess.run(command, env=environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, timeout=120)
    return [f"vg_exec_benchmark{number:08}" for number in range(jobs)]


@contextmanager
def web_processes(place: Path, environment: dict[str, str]) -> Iterator[list[tuple[str, int]]]:
    with ExitStack() as stack:
        hosts = []
        for number in range(WEB_PROCESSES):
            port, log = free_port(), place / f"web-{number}.log"
            own = environment | {"DATA_DIR": str(place / f"web-{number}")}
            command = [sys.executable, "manage.py", "serve", "--port", str(port)]
            process = stack.enter_context(running(command, own, log))
            wait_until_answered(f"http://127.0.0.1:{port}/healthz", process, log, timeout=60)
            hosts.append(("127.0.0.1", port))
        yield hosts


# --- SQLite -----------------------------------------------------------------------------------------------


def on_sqlite() -> list[Figure]:
    with folder() as place, rushes(place, running_jobs=SEARCHED) as product:
        ids = [remote_id for _, remote_id in product.seeded.running]
        rate, best = held([product.host], ids, product.secret)
    return [
        info(f"steady: SQLite holds (p99 at most {MAX_P99} ms)", rate, "/s"),
        info("steady: SQLite, at that rate, p50", percentile(best.waits, 0.5), "ms"),
        info("steady: SQLite, at that rate, p99", best.p99, "ms"),
    ]


# --- the sender -------------------------------------------------------------------------------------------


async def sent(hosts: Sequence[tuple[str, int]], ids: list[str], secret: str, rate: int) -> Run:
    """Send the success of each job, `rate` per second, to the processes in turn."""
    pools = [Pool(host) for host in hosts]
    began = time.perf_counter() + 0.5
    waits: list[float] = []
    again = 0

    async def one(number: int, remote_id: str) -> None:
        nonlocal again
        due = began + number / rate
        await asyncio.sleep(due - time.perf_counter())
        pool = pools[number % len(pools)]
        for attempt in range(MAX_TRIES):
            # Sign each attempt at the time it is sent, as VideoGen does.
            delivery = succeeded(remote_id, secret)
            try:
                answer = await pool.send(lambda host: post(RECEIVER, host, delivery.headers, delivery.body))  # noqa: B023
                is_accepted = answer.status == 200
            except (OSError, asyncio.IncompleteReadError):
                is_accepted = False
            if attempt == 0:
                waits.append((time.perf_counter() - due) * 1000)
            if is_accepted:
                return
            again += attempt == 0
            await asyncio.sleep(RETRY_AFTER)

    await asyncio.gather(*(one(number, remote_id) for number, remote_id in enumerate(ids)))
    for pool in pools:
        pool.close()
    return Run(waits, again)


class Pool:
    """Connections to one process; a new one is opened when none is free."""

    def __init__(self, host: tuple[str, int]) -> None:
        self._host = host
        self._free: list[Connection] = []

    async def send(self, request: Callable[[tuple[str, int]], bytes]) -> Answer:
        connection = self._free.pop() if self._free else await Connection.to(self._host)
        answer = await connection.send(request(self._host))
        self._free.append(connection)
        return answer

    def close(self) -> None:
        for connection in self._free:
            connection.close()
