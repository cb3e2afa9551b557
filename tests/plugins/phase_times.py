"""`--phase-times=FILE` writes the seconds of each test per phase, and of each fixture.

Each line is JSON. `cpu` is the processor time of this process, `children` that of processes it started and waited for
in that phase (servers, commands; not what outlives the phase). Waiting counts in neither, so both can be compared
between runs on a busy machine. Each worker writes its own file; `scripts/phase-times FILE` adds them up.
"""

from __future__ import annotations

import json
import os
import resource
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.getgroup("rushes").addoption(
        "--phase-times", metavar="FILE", help="write seconds per phase and per fixture to FILE"
    )


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--phase-times")
    if path:
        config.pluginmanager.register(PhaseTimes(Path(path).absolute()), "phase-times-writer")


def of_children() -> float:
    """Processor seconds of all processes that were started here, ended, and were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class PhaseTimes:
    def __init__(self, path: Path) -> None:
        worker = os.environ.get("PYTEST_XDIST_WORKER", "")
        part = path.with_name(f"{path.name}.{worker}") if worker else path
        self._file = part.open("w", buffering=1)

    def _write(self, **line: Any) -> None:
        self._file.write(json.dumps(line) + "\n")

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        """Without the fixtures that it requests, except those requested by `getfixturevalue`."""
        with self._timed(fixture=fixturedef.argname, scope=fixturedef.scope):
            return (yield)

    @contextmanager
    def _timed(self, **labels: Any) -> Iterator[None]:
        began, cpu, children = time.perf_counter(), time.process_time(), of_children()
        try:
            yield
        finally:
            self._write(
                **labels,
                seconds=time.perf_counter() - began,
                cpu=round(time.process_time() - cpu, 6),
                children=round(of_children() - children, 6),
            )

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, Any, Any]:
        with self._timed(test=item.nodeid, phase="setup"):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        with self._timed(test=item.nodeid, phase="call"):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        with self._timed(test=item.nodeid, phase="teardown"):
            return (yield)

    def pytest_unconfigure(self) -> None:
        self._file.close()
