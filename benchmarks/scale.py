"""The history with 10,000 and 1,000,000 jobs, on SQLite and, if BENCH_POSTGRES names a server, on PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from benchmarks.product import ROOT, folder, new_secret, plain_environment
from benchmarks.table import Figure, at_least, at_most, info

TIMEOUT = 3600  # seconds; a million jobs are written twice
SIZES = (10_000, int(os.environ.get("BENCH_JOBS", "1000000")))
MAX_RATIO = 1.5  # of the times at both sizes
MIN_GROWTH = 1.3  # a page larger by this factor has more rows
# Times below this many ms are not compared: noise dominates.
NOISE = 10.0
MAX_PAGE, MAX_TEXT_SEARCH = 100, 200  # ms
MIN_SEED_RATE, MAX_EXPORT_MEMORY = 20_000, 100  # jobs/s, MB
ADMIN = "Django admin"


def measure() -> list[Figure]:
    with folder() as place:
        figures = _engine("SQLite", [_sqlite(place / str(size)) for size in SIZES])
    if server := os.environ.get("BENCH_POSTGRES", ""):
        with _databases(server) as environments:
            figures += _engine("PostgreSQL", environments)
    return figures


def _engine(engine: str, environments: list[dict[str, str]]) -> list[Figure]:
    figures = []
    for size, environment in zip(SIZES, environments, strict=True):
        _run(environment, "manage.py", "migrate", "-v0")
        said = _run(environment, "manage.py", "seed_history", "--executions", str(size), "--yes")
        counted = _run(environment, "manage.py", "rollup")
        if size == SIZES[-1]:
            rate = float(said.split(":")[-1].split()[0].replace(",", ""))
            figures.append(at_least(f"{engine}: seed_history", rate, MIN_SEED_RATE, "jobs/s", 0))
            figures.append(Figure(f"{engine}: rollup, for Insights", counted.strip().rstrip(".")))
    many = json.loads(_run(environments[1], "-m", "benchmarks.scale_pages", "--export"))
    few = json.loads(_run(environments[0], "-m", "benchmarks.scale_pages", "--pair", many["pair"]))
    for name, large in many["pages"].items():
        figures += _page(f"{engine}: {name}", few["pages"][name], large, many["pair"])
    export = many["export"]
    figures.append(info(f"{engine}: export of {export['rows']:,} jobs as CSV", export["seconds"], "s"))
    figures.append(
        at_most(f"{engine}: memory that the export took", export["grown"], MAX_EXPORT_MEMORY, "MB")
    )
    return figures


def _page(what: str, few: dict[str, Any], many: dict[str, Any], pair: str) -> Iterator[Figure]:
    if "pair" in what:
        what += f" ({pair})"
    shown = f"{few['p95']:.0f} and {many['p95']:.0f} ms p95, {many['queries']} queries"
    if ADMIN in what:
        yield Figure(what, shown)
        return
    limit = MAX_TEXT_SEARCH if " text: " in what else MAX_PAGE
    # A filter with few matches does not fill a page of the small database, so the times are not comparable.
    is_fuller = many["bytes"] > MIN_GROWTH * few["bytes"]
    is_near = is_fuller or many["p95"] <= max(MAX_RATIO * few["p95"], NOISE)
    yield Figure(
        what,
        shown + (f"; {few['bytes'] / 1000:.0f} and {many['bytes'] / 1000:.0f} KB" if is_fuller else ""),
        f"{'' if is_fuller else f'{MAX_RATIO:g} times, '}{limit} ms, no more queries",
        # A fuller page may need more queries; tests/dashboard/test_query_counts.py asserts that rows cost none.
        is_near and many["p95"] <= limit and (is_fuller or few["queries"] >= many["queries"] - 2),
    )
    for plan in many["scans"]:
        print(f"{what} reads a whole table:\n  {plan}", file=sys.stderr)
        yield Figure(f"{what}: reads a whole table", "its plan is above", "no scan", False)


def _run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        [sys.executable, *command], env=environment, cwd=ROOT, check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-800:])
    return done.stdout


def _sqlite(data: Path) -> dict[str, str]:
    data.mkdir(parents=True)
    return plain_environment(DATA_DIR=str(data), VIDEOGEN_API_KEY="benchmark")


@contextmanager
def _databases(server: str) -> Iterator[list[dict[str, str]]]:
    """Create two databases on that server, and drop them afterwards."""
    names = [f"rushes_bench_{os.getpid()}_{size}" for size in SIZES]
    with psycopg.connect(server, autocommit=True) as admin, folder() as place:
        try:
            environments = []
            for name in names:
                admin.execute(f"CREATE DATABASE {name}")
                (place / name).mkdir()
                environments.append(
                    plain_environment(
                        DATA_DIR=str(place / name),
                        DATABASE_URL=urlsplit(server)._replace(path=f"/{name}").geturl(),
                        VIDEOGEN_API_KEY="benchmark",
                        SECRET_KEY=new_secret(),
                        ALLOWED_HOSTS="127.0.0.1",
                        PUBLIC_URL="http://127.0.0.1",
                    )
                )
            yield environments
        finally:
            for name in names:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
