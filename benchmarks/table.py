"""Figures of the benchmarks, and the table that shows them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A measured value. `target` and `ok` are empty if the value has no target."""

    what: str
    figure: str
    target: str = ""
    ok: bool | None = None

    @property
    def verdict(self) -> str:
        return {True: "ok", False: "NO", None: "-"}[self.ok]


def at_most(what: str, value: float, limit: float, unit: str, digits: int = 0) -> Figure:
    return Figure(
        what, f"{value:,.{digits}f} {unit}", f"at most {limit:,g} {unit}", round(value, digits) <= limit
    )


def at_least(what: str, value: float, limit: float, unit: str = "", digits: int = 2) -> Figure:
    said = f"{value:,.{digits}f} {unit}".strip()
    return Figure(what, said, f"at least {limit:,g} {unit}".strip(), round(value, digits) >= limit)


def info(what: str, value: float, unit: str, digits: int = 0) -> Figure:
    return Figure(what, f"{value:,.{digits}f} {unit}")


def lines(figures: Iterable[Figure]) -> list[str]:
    rows = [("what", "figure", "target", "")]
    rows += [(each.what, each.figure, each.target or "-", each.verdict) for each in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    made = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, [*widths, 2], strict=True)) for row in rows
    ]
    return [made[0].rstrip(), "-" * (sum(widths) + 8), *(line.rstrip() for line in made[1:])]


def percentile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * share // 1).__int__() - 1)]
