"""Markers that a whole folder has, that follow from what a test uses, and one that is checked.

`pytestmark` in a folder's conftest counts for every test in it. What does not ask for the
database gets `one_engine`. `processes` is on all that use a fixture which starts one; a test without it that starts one fails.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

# Fixtures that start a sandbox, a server or a browser.
STARTERS = {
    *("sandbox", "sandbox_process", "shared_sandbox", "launch", "strict", "strict_account", "official"),
    *("site", "chromium", "serving", "installation", "streaming", "flooding"),
}
DATABASE = {"db", "transactional_db"}
# A server of its own has its own SQLite file, whatever database the tests have.
OWN_DATABASE = {"serving", "site"}
started: list[str] = []  # since the test before, by what is shared as well


def _hear(event: str, arguments: Any) -> None:
    if event == "subprocess.Popen":
        started.append(str(arguments[0]))


sys.addaudithook(_hear)


def of_folders(item: pytest.Item) -> Iterator[pytest.Mark | pytest.MarkDecorator]:
    for folder in item.path.parents:
        conftest = item.config.pluginmanager.get_plugin(str(folder / "conftest.py"))
        marks = getattr(conftest, "pytestmark", [])
        yield from marks if isinstance(marks, list) else [marks]
        if folder == item.config.rootpath:
            return


def asks_for_database(item: pytest.Item, fixtures: set[str]) -> bool:
    return bool(fixtures & DATABASE) or item.get_closest_marker("django_db") is not None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        for mark in of_folders(item):
            item.add_marker(mark)
        if fixtures & OWN_DATABASE or not asks_for_database(item, fixtures):
            item.add_marker("one_engine")
        if fixtures & STARTERS:
            item.add_marker("processes")


def pytest_collection_finish() -> None:
    started.clear()  # imports may have asked other programs what machine this is


@pytest.fixture(autouse=True)
def _starts_processes_only_where_marked(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    new = started.copy()
    started.clear()
    if request.node.get_closest_marker("processes") is None:
        assert new == [], "it starts a process: it wants @pytest.mark.processes"
