"""Measure the history's pages in a seeded database. Run as a program; prints one line of JSON.

Times include all middleware and the template, but no network.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import sys
import time
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.sites.scaled")
REQUESTS = 20  # per page
PER_PAGE = 50
SHORT = 500.0  # PostgreSQL's cost of a sequential scan that is acceptable because the table is short
# Tables that grow with the history. The others have a row per person, batch or saved view.
LONG_TABLES = ("executions_execution", "executions_event", "executions_file", "executions_result")


def singles(person: int, batch: str, since: str) -> dict[str, str]:
    """Each filter alone."""
    return {
        "status": "status=failed",
        "without a status": "status=-succeeded",
        "tool": "tool=vectorize-image",
        "without a tool": "tool=-generate-image",
        "person": f"person={person}",
        "without a person": f"person=-{person}",
        "batch": f"batch={batch}",
        "error": "error=source_unreadable",
        "dates": f"from={since}&to={since}",
        "long": "min=300",
        "short": "max=2",
        "elsewhere": "origin=elsewhere",
        "here": "origin=here",
    }


WORDS = {
    "a common word": "lighthouse",
    "a rare word": "thornreed",
    "part of a word": "ornree",
    "words that stand together": '"golden hour"',
    "two letters": "te",
    "words that are nowhere": "zeppelin",
}


def measure(client: Any, path: str, requests: int = REQUESTS) -> dict[str, Any]:
    """The times (ms) of many responses, and the queries of one."""
    from django.db import connection

    times: list[float] = []
    queries: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        queries.append((sql, params))
        return execute(sql, params, many, context)

    for number in range(requests + 2):
        queries.clear()
        with connection.execute_wrapper(note):
            began = time.perf_counter()
            answer = client.get(path)
            took = time.perf_counter() - began
        if answer.status_code != 200:
            raise RuntimeError(f"{path} returned {answer.status_code}")
        if number >= 2:
            times.append(took * 1000)
    print(f"{path}: {statistics.median(times):.0f} ms", file=sys.stderr, flush=True)
    return {
        "p95": sorted(times)[max(0, -(-len(times) * 95 // 100) - 1)],
        "median": statistics.median(times),
        "bytes": len(answer.content),
        "queries": len(queries),
        "scans": list(scans(queries)),
    }


def scans(queries: Iterable[tuple[str, Any]]) -> Iterable[str]:
    """The plans of the queries that scan a long table without an index."""
    from django.db import connection

    for sql, params in list(queries):
        if not sql.lstrip().upper().startswith(("SELECT", "WITH")):
            continue
        explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
        with connection.cursor() as cursor:
            cursor.execute(explain + sql, params)
            lines = [str(row[-1] if connection.vendor == "sqlite" else row[0]) for row in cursor.fetchall()]
        if any(_is_scan(line) for line in lines) and not _is_walk(sql, lines):
            yield sql[:300] + "\n    " + "\n    ".join(lines)


def _is_scan(line: str) -> bool:
    if found := re.search(r"Seq Scan on (\w+).*cost=[\d.]+\.\.([\d.]+)", line):
        # For a short table, a scan is the right plan.
        return found[1] in LONG_TABLES and float(found[2]) > SHORT
    found = re.match(r"SCAN (\w+)(?!.*USING)", line)
    return bool(found and found[1] in LONG_TABLES)


def _is_walk(sql: str, lines: list[str]) -> bool:
    """Whether SQLite's "scan" walks the table by its ids and stops at the limit."""
    return (
        bool(re.search(r'ORDER BY (1|"id"|"\w+"\."id") (ASC|DESC) LIMIT \d+\W', sql + ")"))
        and len(lines) == 1
    )


def exported(actor: Any) -> dict[str, Any]:
    """Export the whole history as CSV: rows, seconds, and growth of the process in MB.

    Only anonymous memory counts, not the part of SQLite's file that is mapped into the process.
    """
    from dashboard.http import table_export
    from executions.exports import tables
    from executions.search.jobs import Filters

    matching = tables.export_history(Filters(), query="", file_format="csv", actor=actor)

    async def run() -> tuple[int, float]:
        rows, most = 0, 0.0
        async for piece in table_export.chunks(tables.HISTORY_COLUMNS, matching, "csv"):
            rows += piece.count(b"\n")
            most = max(most, _held())
        return rows - 1, most

    before = _held()
    began = time.perf_counter()
    rows, most = asyncio.run(run())
    return {"rows": rows, "seconds": time.perf_counter() - began, "grown": most - before}


def _held() -> float:
    """Anonymous memory of this process in MB."""
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    if found is None:
        raise RuntimeError("this system does not report the anonymous memory of a process")
    return int(found[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale_pages", description=__doc__)
    parser.add_argument(
        "--pair", default="", help="measure this pair of filters instead of searching for the slowest"
    )
    parser.add_argument("--export", action="store_true", help="also export the whole history as CSV")
    parser.add_argument("--only", default="", help="measure only pages whose name contains this")
    wanted = parser.parse_args()
    django.setup()
    from django.contrib.auth import get_user_model
    from django.test import Client
    from django.urls import Resolver404, resolve

    from executions.models import Batch, Execution

    admin, _ = get_user_model().objects.get_or_create(username="benchmark", is_staff=True, is_superuser=True)
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(admin)
    newest = Execution.objects.newest_first()
    total = Execution.objects.count()
    middle = newest[min(999 * PER_PAGE, total // 2)]
    person = get_user_model().objects.filter(username__startswith="member").order_by("-pk").first()
    batch = Batch.objects.order_by("id").first()
    one = singles(person.pk if person else 0, batch.pk if batch else "", middle.created_at.date().isoformat())
    pages = {"first page": "/executions/", "page 1,000": f"/executions/?after={middle.pk}"}
    pages |= {f"filter: {name}": f"/executions/?{query}" for name, query in one.items()}
    pages |= {f"sort: {sort}": f"/executions/?sort={sort}" for sort in ("longest", "person")}
    pages["sort: longest, of a quick tool"] = "/executions/?sort=longest&tool=generate-image"
    pages |= {f"text: {name}": f"/executions/?q={words}" for name, words in WORDS.items()}
    pages |= {"gallery": "/executions/?view=gallery", "one job": f"/executions/{middle.pk}/"}
    pages |= {"what is new": f"/executions/fresh/?top={newest[20].pk}"}
    for name, path in (("audit", "/audit/"), ("insights", "/insights/")):
        try:
            resolve(path)
        except Resolver404:
            continue
        pages[name] = path
    if wanted.only:
        pages = {name: path for name, path in pages.items() if wanted.only in name}
    found = {name: measure(client, path) for name, path in pages.items()}
    pair = wanted.pair
    if not wanted.only:
        if not pair:
            tried = {
                f"{first} & {second}": measure(client, f"/executions/?{one[first]}&{one[second]}", 3)[
                    "median"
                ]
                for first, second in combinations(one, 2)
            }
            pair = max(tried, key=lambda each: tried[each])
        first, second = pair.split(" & ")
        found["worst pair of filters"] = measure(client, f"/executions/?{one[first]}&{one[second]}")
        admin_pages = "/benchmark/admin/executions/execution/"
        found["Django admin: first page"] = measure(client, admin_pages, 3)
        found["Django admin: search, a rare word"] = measure(client, f"{admin_pages}?q=thornreed", 2)
    written = {"pages": found, "pair": pair, "jobs": total}
    if wanted.export:
        written["export"] = exported(admin)
    print(json.dumps(written))


if __name__ == "__main__":
    main()
