"""Run the named benchmarks, or all, and print one table."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

from benchmarks.table import Figure, lines

NAMES = ("push", "ingest", "sockets", "start", "history", "library", "memory", "steady")
# Slow: these run only when they are named.
LONG = ("scale",)
TIMEOUT = 70  # seconds; a benchmark module can set its own


class BenchmarkTimeout(Exception):
    """A benchmark did not finish in time."""


def on_alarm(number: int, frame: FrameType | None) -> NoReturn:
    raise BenchmarkTimeout("timed out")


def on_terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(143)


def measured(name: str) -> list[Figure]:
    """The figures of one benchmark. Everything it started is stopped when this returns or raises."""
    benchmark = importlib.import_module(f"benchmarks.{name}")
    signal.alarm(getattr(benchmark, "TIMEOUT", TIMEOUT))
    try:
        return benchmark.measure()
    finally:
        signal.alarm(0)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="name",
        help=f"one or more of {', '.join(NAMES)} (default: all of these) or {', '.join(LONG)}",
    )
    names = parser.parse_args().names or NAMES
    if unknown := set(names) - {*NAMES, *LONG}:
        parser.error(
            f"unknown benchmark {', '.join(sorted(unknown))}; choose from {', '.join((*NAMES, *LONG))}"
        )
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, on_terminate)
    figures: list[Figure] = []
    failed = False
    for name in names:
        began = time.monotonic()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        try:
            figures += measured(name)
        except Exception as error:
            failed = True
            figures.append(Figure(name, f"not measured: {str(error) or type(error).__name__}", "", False))
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print("\n".join(lines(figures)))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
