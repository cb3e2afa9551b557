"""Text that a spreadsheet would run as a formula."""

from __future__ import annotations

import pytest

from dashboard.http.csv_safety import guard, unguard

FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    "\uff0b1",
    "\uff0d1",
    "\uff201",
]


@pytest.mark.parametrize("cell", FORMULAS)
def test_a_formula_gets_an_apostrophe_that_is_removed_again(cell: str) -> None:
    assert guard(cell) == f"'{cell}"
    assert unguard(guard(cell)) == cell


@pytest.mark.parametrize("cell", ["", "a pier", "1-1", "'quoted'", " =1"])
def test_other_text_is_unchanged(cell: str) -> None:
    assert guard(cell) == unguard(cell) == cell
