"""The table of faults in docs/reliability.md is whole, and every test that it names is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.plan import ROOT

FAULTS = range(1, 59)
ROW = re.compile(r"^\| (\d+) \| (.*) \|$", re.MULTILINE)
NAMED = re.compile(r"`(test_\w+)`")


def rows(text: str) -> dict[int, list[str]]:
    """The tests that each row names; fails where a number stands there twice."""
    found: dict[int, list[str]] = {}
    for number, cells in ROW.findall(text):
        assert int(number) not in found, f"row {number} is there twice"
        found[int(number)] = NAMED.findall(cells.rpartition(" | ")[2])
    return found


def names(root: Path) -> set[str]:
    """The name of every test."""
    return {
        node.name
        for path in sorted((root / "tests").rglob("test_*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def wrong(text: str, known: set[str]) -> list[str]:
    found = rows(text)
    problems = [f"row {number} is missing" for number in FAULTS if number not in found]
    problems += [f"row {number} is of no fault" for number in found if number not in FAULTS]
    problems += [f"row {number} names no test" for number, named in found.items() if not named]
    problems += [
        f"row {number} names {test}, which there is not"
        for number, named in found.items()
        for test in named
        if test not in known
    ]
    return problems


def test_every_fault_has_its_row_and_every_row_its_test() -> None:
    assert wrong((ROOT / "docs" / "reliability.md").read_text(encoding="utf-8"), names(ROOT)) == []


def test_what_is_missing_is_found() -> None:
    complete = "".join(f"| {number} | fault | `test_it` |\n" for number in FAULTS)
    assert wrong(complete, {"test_it"}) == []
    assert wrong(complete.replace("| 7 |", "| 99 |"), {"test_it"}) == [
        "row 7 is missing",
        "row 99 is of no fault",
    ]
    assert wrong(complete.replace("| 8 | fault | `test_it`", "| 8 | fault | -"), {"test_it"}) == [
        "row 8 names no test"
    ]
    assert wrong(complete.replace("| 9 | fault | `test_it`", "| 9 | fault | `test_that`"), {"test_it"}) == [
        "row 9 names test_that, which there is not"
    ]
