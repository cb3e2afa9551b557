"""The table of faults in docs/reliability.md is complete, and every test that it names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.source_tree import ROOT, modules, parse

FAULTS = range(1, 59)
ROW = re.compile(r"^\| (\d+) \| (.*) \|$", re.MULTILINE)
TEST_NAME = re.compile(r"`(test_\w+)`")


def rows(text: str) -> dict[int, list[str]]:
    """The tests that each row names. Fails if a number occurs twice."""
    found: dict[int, list[str]] = {}
    for number, cells in ROW.findall(text):
        assert int(number) not in found, f"row {number} occurs twice"
        found[int(number)] = TEST_NAME.findall(cells.rpartition(" | ")[2])
    return found


def existing_tests(root: Path) -> set[str]:
    """The names of all tests."""
    return {
        node.name
        for path in modules(root, "tests")
        if path.name.startswith("test_")
        for node in ast.walk(parse(root, path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def problems_of(text: str, existing: set[str]) -> list[str]:
    found = rows(text)
    problems = [f"row {number} is missing" for number in FAULTS if number not in found]
    problems += [f"row {number} is not a known fault" for number in found if number not in FAULTS]
    problems += [f"row {number} names no test" for number, named in found.items() if not named]
    problems += [
        f"row {number} names {test}, which does not exist"
        for number, named in found.items()
        for test in named
        if test not in existing
    ]
    return problems


def test_every_fault_has_a_row_and_every_row_an_existing_test() -> None:
    assert (
        problems_of((ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"), existing_tests(ROOT))
        == []
    )


def test_missing_rows_and_tests_are_found() -> None:
    complete = "".join(f"| {number} | fault | `test_it` |\n" for number in FAULTS)
    assert problems_of(complete, {"test_it"}) == []
    assert problems_of(complete.replace("| 7 |", "| 99 |"), {"test_it"}) == [
        "row 7 is missing",
        "row 99 is not a known fault",
    ]
    assert problems_of(complete.replace("| 8 | fault | `test_it`", "| 8 | fault | -"), {"test_it"}) == [
        "row 8 names no test"
    ]
    assert problems_of(
        complete.replace("| 9 | fault | `test_it`", "| 9 | fault | `test_that`"), {"test_it"}
    ) == ["row 9 names test_that, which does not exist"]
