"""Keeps spreadsheets from taking text in a CSV for a formula: an apostrophe leads it."""

from __future__ import annotations

# A cell that begins with one of these may be taken for a formula; the last four are full-width signs.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def guard(cell: str) -> str:
    """The cell as it may stand in a CSV."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def unguard(cell: str) -> str:
    """The cell as it was before `guard`."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA) else cell
