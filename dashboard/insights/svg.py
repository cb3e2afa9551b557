"""The geometry of charts: percent horizontally, to fit every width; pixels vertically, so that text is not distorted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

HEIGHT, TOP, BOTTOM = 216, 12, 26  # of a column chart, in px
PLOT = HEIGHT - TOP - BOTTOM


@dataclass(frozen=True)
class Mark:
    """One element of a chart that can be focused, with its label and link."""

    x: str
    y: str
    width: str
    height: str
    hue: str
    label: str
    url: str
    level: int = 0

    @property
    def svg(self) -> SafeString:
        """Its markup. A template would take ten times as long for a thousand marks."""
        place = f'x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}"'
        if not self.url:
            return mark_safe(f'<rect class="insights-mark insights-none" {place}/>')
        level = f' data-level="{self.level}"' if self.level else ""
        return mark_safe(
            f'<a href="{escape(self.url)}" aria-label="{escape(self.label)}">'
            f'<rect class="insights-mark" {place} data-hue="{self.hue}"{level}/></a>'
        )


@dataclass(frozen=True)
class Tick:
    at: str
    text: str
    anchor: str = "middle"
    minor: bool = False
    """Hidden on narrow screens."""


@dataclass(frozen=True)
class Table:
    """The data of a chart as a table. A row's url is empty if it has no link."""

    caption: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, Sequence[str]]]  # (url or "", cells)

    @property
    def body(self) -> Iterator[tuple[str, str, Sequence[str]]]:
        """(url or "", row heading, other cells)."""
        return ((url, cells[0], cells[1:]) for url, cells in self.rows)


@dataclass(frozen=True)
class Chart:
    name: str
    title: str
    about: str
    """The chart in one sentence, for screen readers."""
    marks: Sequence[Mark]
    table: Table
    lines: Sequence[Tick] = ()
    """Across the plot, with their values."""
    labels: Sequence[Tick] = ()
    """Along the bottom."""
    path: str = ""
    height: int = HEIGHT
    rows: Sequence[Tick] = ()

    @property
    def foot(self) -> int:
        """Where the plot ends above its labels, in px."""
        return self.height - 24


def percent(value: float) -> str:
    return f"{value:.3f}%"


def px(value: float) -> str:
    return f"{value:.2f}"


def scale(maximum: float, steps: int = 4) -> tuple[float, list[float]]:
    """A round upper bound of `maximum`, and the round values up to it."""
    rough = max(maximum, 1) / steps
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough)
    if step < 1:
        step = 1.0
    if step != int(step) and maximum >= 2:
        step = math.ceil(step)
    count = max(1, math.ceil(max(maximum, 1) / step))
    return step * count, [step * number for number in range(count + 1)]


def height_of(count: float, top: float) -> float:
    return PLOT * count / top


def level(count: int, maximum: int) -> int:
    """0 to 5: how dark a cell of the week is."""
    return 0 if not count else min(5, 1 + int(5 * (count / maximum) ** 0.7 - 1e-9))


def spaced_indexes(count: int, at_most: int = 7) -> list[int]:
    """About `at_most` evenly spaced indexes of `count` labels, so that they do not overlap; includes the last."""
    step = max(1, math.ceil(count / at_most))
    return sorted({count - 1 - number for number in range(0, count, step)})
