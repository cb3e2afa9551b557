"""Runs the benchmarks that are named, or all, and prints one table."""

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
# These take long: they run when they are named.
LONG = ("scale",)
LONGEST = 70  # seconds for one benchmark that does not say otherwise


class TooLong(Exception):
    """A benchmark did not end in time."""


def too_long(number: int, frame: FrameType | None) -> NoReturn:
    raise TooLong("it did not end in its time")


def stopped(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(143)


def measured(name: str) -> list[Figure]:
    """The figures of one benchmark. What it started is ended when this returns, however it ends."""
    benchmark = importlib.import_module(f"benchmarks.{name}")
    signal.alarm(getattr(benchmark, "LONGEST", LONGEST))
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
        help=f"of {', '.join(NAMES)} (default: all of these), or {', '.join(LONG)}",
    )
    names = parser.parse_args().names or NAMES
    if unknown := set(names) - {*NAMES, *LONG}:
        parser.error(
            f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join((*NAMES, *LONG))}"
        )
    signal.signal(signal.SIGALRM, too_long)
    signal.signal(signal.SIGTERM, stopped)
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
