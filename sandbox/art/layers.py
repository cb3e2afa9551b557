"""The layers in front of the sky: ridges, trees, towers, dunes, water, ribbons of colour."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sandbox.art.mood import Colour, Mood, Palette
from sandbox.art.noise import Curve, Floats


def unit(colour: Colour) -> Floats:
    """A colour as three planes of one pixel, 0 to 1."""
    return (np.array(colour, dtype=np.float32) / 255)[:, None, None]


@dataclass
class Canvas:
    """The picture being drawn, as three colour planes, since arrays of pixels are several times slower.

    ``shift``: movement of the camera in picture heights. ``pixel``: the height of one row in picture heights.
    """

    picture: Floats
    x: Floats
    y: Floats
    shift: float
    seconds: float
    light: tuple[float, float]
    palette: Palette
    pixel: float

    def band(self, top: float, bottom: float = 1.0) -> Canvas:
        """A view of the rows between two heights. Drawing on it draws on this canvas."""
        first = max(0, int((top - float(self.y[0, 0])) / self.pixel) - 1)
        last = max(first, int((bottom - float(self.y[0, 0])) / self.pixel) + 2)
        return dataclasses.replace(self, picture=self.picture[:, first:last], y=self.y[first:last])

    def cover(self, edge: Floats) -> Floats:
        """The share of each pixel below the edge (one height per column), 0 to 1."""
        return np.clip((self.y - edge) / self.pixel + 0.5, 0, 1)

    def blend(self, colour: Floats, share: Floats) -> None:
        self.picture += (colour - self.picture) * share


class Layer(Protocol):
    def draw(self, canvas: Canvas) -> None: ...


def _mixed(palette: Palette, depth: float) -> Floats:
    """Interpolate from the farthest colour (depth 0) to the nearest (depth 1)."""
    far, near = unit(palette.far), unit(palette.near)
    return far + (near - far) * depth


@dataclass
class Ridge:
    """A line of hills. ``depth``: 0 is far away and pale; 1 is close, dark and moves faster."""

    curve: Curve
    base: float
    height: float
    pitch: float
    depth: float
    trees: Curve | None = None
    lit: bool = False

    def edge(self, canvas: Canvas) -> Floats:
        x = canvas.x + canvas.shift * (0.3 + 2.2 * self.depth) + 40
        edge = self.base - self.height * self.curve(x * self.pitch)
        if self.trees is not None:
            edge = edge - self._treetops(x)
        return edge

    def _treetops(self, x: Floats) -> Floats:
        assert self.trees is not None, "only called for wooded ridges"
        cell = 0.012 + 0.03 * self.depth
        total = np.zeros_like(x)
        for turn in (0.0, 0.37, 0.71):
            position = x / cell + turn
            within = np.abs(position - np.floor(position) - 0.5) * 2
            size = self.trees(np.floor(position) * 1.7 + turn * 90)
            # A fir is a triangle with serrated sides.
            teeth = 0.12 * np.abs(np.modf(within * 5)[0] - 0.5)
            total = np.maximum(total, (1 - within - teeth) * (0.4 + 1.2 * size))
        return np.maximum(total, 0) * (0.05 + 0.14 * self.depth)

    def draw(self, canvas: Canvas) -> None:
        edge = self.edge(canvas)
        canvas = canvas.band(float(edge.min()))
        below = np.clip((canvas.y - edge) / 0.3, 0, 1)
        colour = _mixed(canvas.palette, self.depth)
        shade = colour + (unit(canvas.palette.horizon) - colour) * (below * (0.55 * (1 - self.depth)))
        if self.lit:
            # Slopes facing the light are brighter. Use a smoothed edge, not every jag.
            reach = max(3, int(0.06 / canvas.pixel)) | 1
            padded = np.pad(edge[0], reach // 2, mode="edge")
            broad = np.convolve(padded, np.full(reach, 1 / reach, dtype=np.float32), mode="valid")
            slope = np.gradient(broad)[None, :] / canvas.pixel
            side = np.tanh((canvas.light[0] - canvas.x) * 3)
            glow = np.clip(slope * -side * 1.1, -0.4, 0.5) * np.exp(-below * 2.5)
            shade *= 1 + 0.5 * glow
        canvas.blend(shade, canvas.cover(edge))


@dataclass
class Towers:
    """A row of buildings. The nearer ones have windows, some of them lit."""

    heights: Floats
    lights: Floats
    base: float
    cell: float
    depth: float

    def draw(self, canvas: Canvas) -> None:
        x = canvas.x + canvas.shift * (0.3 + 2.2 * self.depth) + 40
        column = np.floor(x / self.cell)
        number, within = column.astype(np.int32), x / self.cell - column
        tall = self.heights[number % len(self.heights)]
        gap = (within > 0.06 + 0.1 * tall) & (within < 0.97)
        edge = self.base - np.where(gap, 0.05 + tall * (0.2 + 0.25 * self.depth), 0.02)
        canvas = canvas.band(float(edge.min()))
        below = np.clip((canvas.y - edge) / 0.5, 0, 1)
        colour = _mixed(canvas.palette, self.depth)
        shade = colour + (unit(canvas.palette.horizon) - colour) * (below * (0.5 * (1 - self.depth)))
        if self.depth > 0.4:
            shade += self._windows(canvas, x, edge, gap)
        canvas.blend(shade, canvas.cover(edge))

    def _windows(self, canvas: Canvas, x: Floats, edge: Floats, gap: NDArray[np.bool_]) -> Floats:
        step = self.cell / 7
        column, row = x / step, (canvas.y - edge) / (step * 1.5)
        floor, storey = np.floor(row), np.floor(column)
        inside = (column - storey > 0.35) & (row - floor > 0.45) & (row > 0.6) & gap
        number = storey.astype(np.int32) * 31 + floor.astype(np.int32) * 17
        chance = self.lights[number % len(self.lights)]
        lit = inside * (chance > 0.62) * (0.35 + 0.6 * chance)
        glow: Floats = unit((255, 209, 128)) * lit
        return glow


@dataclass
class Water:
    """The sea up to the horizon, with the reflection of the light."""

    curve: Curve
    ripple: Curve
    level: float

    def draw(self, canvas: Canvas) -> None:
        canvas = canvas.band(self.level)
        depth = np.clip((canvas.y - self.level) / (1 - self.level), 0, 1)
        sky, near = unit(canvas.palette.horizon) * 0.82, _mixed(canvas.palette, 0.85)
        colour = sky + (near - sky) * depth**0.55
        # Ripples get larger towards the viewer.
        scale = 5 + 26 * (1 - depth) ** 3
        wave = self.curve(
            canvas.x * scale * 0.45 + canvas.seconds * 0.35 + np.floor(depth * 90 / (0.4 + depth)) * 7.3
        )
        line = self.ripple(depth * 120 / (0.35 + depth) + canvas.seconds * 0.8)
        sparkle = np.clip(wave * 0.65 + line * 0.5 - 0.52, 0, 1)
        path = np.exp(-(((canvas.x - canvas.light[0]) / (0.05 + 0.22 * depth)) ** 2))
        strength = np.clip(sparkle * (0.28 + 2.6 * path), 0, 1)
        lit = colour + (unit(canvas.palette.light) - colour) * strength
        canvas.blend(lit, canvas.cover(np.full_like(canvas.x, self.level)))


@dataclass
class Ribbon:
    """A broad translucent wave of colour."""

    curve: Curve
    base: float
    height: float
    colour: Floats
    speed: float

    def draw(self, canvas: Canvas) -> None:
        x = canvas.x * 0.9 + 30
        edge = self.base - self.height * (self.curve(x + canvas.seconds * self.speed) - 0.5)
        canvas = canvas.band(float(edge.min()), float(edge.max()) + 0.5)
        fade = np.clip(1 - (canvas.y - edge) * 2, 0, 1)
        share = canvas.cover(edge) * (fade * np.sqrt(fade) * 0.78)
        canvas.blend(self.colour, share)


def build(mood: Mood, rng: np.random.Generator) -> Sequence[Layer]:
    """The layers of a mood, farthest first."""
    makers = {
        "sea": _sea,
        "forest": _forest,
        "city": _city,
        "desert": _desert,
        "ribbons": _ribbons,
        "deep": _deep,
    }
    if mood.scene == "space":
        return [] if rng.random() < 0.4 else [_ridge(rng, 1.04, 0.16, 1.6, 1.0)]
    return makers.get(mood.scene, _mountains)(mood, rng)


def _ridge(
    rng: np.random.Generator, base: float, height: float, pitch: float, depth: float, *,
    octaves: int = 6, wooded: bool = False, lit: bool = False,
) -> Ridge:  # fmt: skip
    trees = Curve(rng, 2) if wooded else None
    return Ridge(Curve(rng, octaves), base, height, pitch, depth, trees, lit)


def _mountains(mood: Mood, rng: np.random.Generator) -> list[Layer]:
    count = int(rng.integers(4, 6))
    return [
        _ridge(
            rng,
            base=0.68 + 0.34 * depth,
            height=0.46 - 0.16 * depth,
            pitch=1.5 + 0.5 * float(rng.random()),
            depth=depth,
            lit=True,
        )
        for depth in np.linspace(0, 1, count).tolist()
    ]


def _sea(mood: Mood, rng: np.random.Generator) -> list[Layer]:
    level = float(rng.uniform(0.56, 0.66))
    shore: list[Layer] = [_ridge(rng, level + 0.02, float(rng.uniform(0.05, 0.2)), 1.4, 0.15)]
    front: list[Layer] = (
        [] if rng.random() < 0.5 else [_ridge(rng, 1.08, 0.24, 1.1, 1.0, wooded=rng.random() < 0.5)]
    )
    return [*shore, Water(Curve(rng, 3), Curve(rng, 2), level), *front]


def _forest(mood: Mood, rng: np.random.Generator) -> list[Layer]:
    hill: list[Layer] = [_ridge(rng, 0.66, 0.32, 1.3, 0.05)]
    return hill + [
        _ridge(rng, 0.74 + 0.34 * depth, 0.2, 1.2, depth, octaves=3, wooded=True)
        for depth in (0.25, 0.5, 0.75, 1.0)
    ]


def _city(mood: Mood, rng: np.random.Generator) -> list[Layer]:
    towers: list[Layer] = []
    for depth in (0.15, 0.5, 0.95):
        heights = rng.random(97, dtype=np.float32) ** 1.4
        lights = rng.random(1009, dtype=np.float32)
        towers.append(Towers(heights, lights, 0.82 + 0.16 * depth, 0.055 + 0.06 * depth, depth))
    return [*towers, _ridge(rng, 1.04, 0.06, 1.0, 1.0, octaves=2)]


def _desert(mood: Mood, rng: np.random.Generator) -> list[Layer]:
    return [
        _ridge(
            rng,
            0.66 + 0.4 * depth,
            0.24,
            0.8 + 0.3 * float(rng.random()),
            depth * 0.85,
            octaves=2,
            lit=True,
        )
        for depth in (0.0, 0.35, 0.7, 1.0)
    ]


def _ribbons(mood: Mood, rng: np.random.Generator) -> list[Layer]:
    palette = mood.palette
    tones = [
        unit(tone) for tone in (palette.far, palette.light, palette.horizon, palette.middle, palette.near)
    ]
    ribbons: list[Layer] = []
    for number, base in enumerate(np.linspace(0.22, 0.95, 7)):
        colour = tones[number % 5] * 0.75 + tones[int(rng.integers(5))] * 0.25
        ribbons.append(Ribbon(Curve(rng, 2), float(base), 0.55, colour, float(rng.uniform(0.05, 0.2))))
    return ribbons


def _deep(mood: Mood, rng: np.random.Generator) -> list[Layer]:
    beams: list[Layer] = [
        Ribbon(Curve(rng, 2), base, 0.7, unit(mood.palette.horizon), 0.12) for base in (0.1, 0.25)
    ]
    reef = [_ridge(rng, 0.86 + 0.2 * depth, 0.3, 2.2, depth, octaves=5) for depth in (0.4, 0.7, 1.0)]
    return [*beams, *reef]
