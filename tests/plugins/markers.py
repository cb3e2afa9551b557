"""Adds markers by folder and by fixture, and checks the marker `processes`.

`pytestmark` in a folder's conftest applies to every test in it. A test that uses no database gets `one_engine`. A test
that uses a fixture of STARTERS gets `processes`; a test without this marker fails if it starts a process.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests import migrated

# Fixtures that start a sandbox, a server or a browser.
STARTERS = {
    *("sandbox", "sandbox_process", "shared_sandbox", "launch", "strict", "strict_account", "official"),
    *("site", "chromium", "serving", "installation", "streaming", "flooding"),
}
DATABASE = {"db", "transactional_db"}
# These servers have their own SQLite file, whatever database the tests use.
OWN_DATABASE = {"serving", "site"}
started: list[str] = []  # processes since the previous test, including those of shared fixtures


def _record_start(event: str, arguments: Any) -> None:
    # Migrating the shared template database does not count: whichever test needs it first triggers it.
    if event == "subprocess.Popen" and arguments[1] != migrated.COMMAND:
        started.append(str(arguments[0]))


sys.addaudithook(_record_start)


def folder_marks(item: pytest.Item) -> Iterator[pytest.Mark | pytest.MarkDecorator]:
    for folder in item.path.parents:
        conftest = item.config.pluginmanager.get_plugin(str(folder / "conftest.py"))
        marks = getattr(conftest, "pytestmark", [])
        yield from marks if isinstance(marks, list) else [marks]
        if folder == item.config.rootpath:
            return


def uses_database(item: pytest.Item, fixtures: set[str]) -> bool:
    return bool(fixtures & DATABASE) or item.get_closest_marker("django_db") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        for mark in folder_marks(item):
            item.add_marker(mark)
        if fixtures & OWN_DATABASE or not uses_database(item, fixtures):
            item.add_marker("one_engine")
        if fixtures & STARTERS:
            item.add_marker("processes")


def pytest_collection_finish() -> None:
    started.clear()  # imports may run programs to identify the machine


@pytest.fixture(autouse=True)
def _starts_processes_only_where_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    new = started.copy()
    started.clear()
    if request.node.get_closest_marker("processes") is None:
        assert new == [], "the test starts a process: mark it with @pytest.mark.processes"
