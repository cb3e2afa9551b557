"""Prevents CSV formula injection: text that a spreadsheet would run as a formula is prefixed with an apostrophe."""

from __future__ import annotations

# Cells that begin with one of these may be run as a formula; the last four are full-width signs.
FORMULA_PREFIXES = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def guard(cell: str) -> str:
    """The cell, safe for a CSV file."""
    return f"'{cell}" if cell.startswith(FORMULA_PREFIXES) else cell


def unguard(cell: str) -> str:
    """The cell as it was before `guard`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_PREFIXES) else cell
