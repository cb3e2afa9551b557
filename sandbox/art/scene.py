"""A landscape of sky, light and layers, drawn in any size and at any time of a clip.

Coordinates: y runs from 0 (top) to 1 (bottom). x has the same unit, so a wider picture shows more of the scene.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from sandbox.art import layers
from sandbox.art.layers import unit
from sandbox.art.mood import Mood, mood_of
from sandbox.art.noise import Floats, clouds

GRAIN = 0.011
FLAKES = 140


class Scene:
    """The scene of a text. ``frame`` draws it ``seconds`` into a clip."""

    def __init__(self, text: str, seed: int, width: int, height: int) -> None:
        self.mood: Mood = mood_of(text, seed)
        self.width, self.height = width, height
        rng = np.random.default_rng(seed)
        self.x: Floats = (np.arange(width, dtype=np.float32) / height)[None, :]
        self.y: Floats = (np.arange(height, dtype=np.float32) / height)[:, None]
        self.ratio = width / height
        self._rng = rng
        low, high = self.mood.palette.light_height
        self.light_x = float(rng.uniform(0.2, 0.8)) * self.ratio
        self.light_y = float(rng.uniform(low, high))
        self.light_size = float(rng.uniform(0.035, 0.075))
        self.drift = float(rng.choice([-1.0, 1.0])) * 0.035
        self._sky = self._draw_sky()
        self._layers = layers.build(self.mood, rng)
        self._vignette = self._draw_vignette() * 255
        self._grain = rng.standard_normal((height, width), dtype=np.float32) * (GRAIN * 255)
        self._flakes = rng.random((FLAKES, 4)).tolist() if self.mood.snow else []

    def frame(self, seconds: float = 0.0) -> NDArray[np.uint8]:
        """RGB rows of the picture."""
        picture = self._sky.copy()
        canvas = layers.Canvas(
            picture=picture,
            x=self.x,
            y=self.y,
            shift=seconds * self.drift,
            seconds=seconds,
            light=(self.light_x, self.light_y),
            palette=self.mood.palette,
            pixel=1 / self.height,
        )
        for layer in self._layers:
            layer.draw(canvas)
        picture *= self._vignette
        # Move the grain like film grain. Shifting it is cheaper than generating it for each frame.
        picture += np.roll(self._grain, int(seconds * 977) % self.width, axis=1)
        np.clip(picture, 0, 255, out=picture)
        rows = np.ascontiguousarray(picture.astype(np.uint8).transpose(1, 2, 0))
        return self._with_snow(rows, seconds) if self._flakes else rows

    def _draw_sky(self) -> Floats:
        palette = self.mood.palette
        stops = np.array([palette.top, palette.middle, palette.horizon], dtype=np.float32) / 255
        rows = np.stack([np.interp(self.y[:, 0], [0.0, 0.38, 0.72], stops[:, part]) for part in range(3)])
        sky = np.repeat(rows[:, :, None].astype(np.float32), self.width, axis=2)
        self._draw_stars(sky)
        self._draw_clouds(sky)
        self._draw_light(sky)
        return sky

    def _draw_stars(self, sky: Floats) -> None:
        amount = int(self.mood.palette.stars * 260 * self.ratio)
        for column, row, brightness in self._rng.random((amount, 3)).tolist():
            x, y = int(column * (self.width - 2)), int(row * 0.7 * (self.height - 2))
            size = 2 if brightness > 0.9 and self.height > 500 else 1
            sky[:, y : y + size, x : x + size] += brightness**3 * (1 - row) * 0.9

    def _draw_clouds(self, sky: Floats) -> None:
        horizon = unit(self.mood.palette.horizon)
        in_space = self.mood.scene == "space"
        cells = max(2, round(3 * self.ratio)), 3 if in_space else 5
        field = clouds(self._rng, self.width, self.height, cells)
        if in_space:
            other = clouds(self._rng, self.width, self.height, cells)
            sky += np.clip(field - 0.42, 0, 1) * np.abs(horizon * 1.6 - other * 0.5) * 1.5
            return
        fade = np.clip(1.1 - self.y * 1.5, 0, 1) * (0.75 if self.mood.light == "storm" else 0.4)
        sky += (horizon - sky) * (np.clip(field - 0.5, 0, 1) * 2 * fade)

    def _draw_light(self, sky: Floats) -> None:
        colour = unit(self.mood.palette.light)
        distance = np.hypot(self.x - self.light_x, self.y - self.light_y)
        sky += (colour - sky) * (0.5 * np.exp(-distance * 5.5) + 0.25 * np.exp(-distance * 1.9))
        disc = np.clip((self.light_size - distance) * self.height / 1.5 + 0.5, 0, 1)
        sky += (np.minimum(colour * 1.04, 1) - sky) * disc
        if self.mood.light in ("night", "space"):
            self._draw_crescent(sky, disc)

    def _draw_crescent(self, sky: Floats, disc: Floats) -> None:
        """Turn the disc into a crescent moon."""
        offset = self.light_size * 0.55
        shade = np.hypot(self.x - self.light_x - offset, self.y - self.light_y + offset * 0.4)
        dark = np.clip((self.light_size * 0.95 - shade) * self.height / 1.5 + 0.5, 0, 1) * disc
        sky += (unit(self.mood.palette.middle) - sky) * (dark * 0.85)

    def _draw_vignette(self) -> Floats:
        distance = np.hypot((self.x / self.ratio - 0.5) * 1.1, self.y - 0.5)
        brightness: Floats = 1.03 - 0.36 * distance**2
        return brightness

    def _with_snow(self, rows: NDArray[np.uint8], seconds: float) -> NDArray[np.uint8]:
        picture = Image.fromarray(rows)
        draw = ImageDraw.Draw(picture, "RGBA")
        for column, row, speed, size in self._flakes:
            radius = (0.0014 + 0.0046 * size**2) * self.height
            x = (column + seconds * 0.03 * (speed - 0.3)) % 1 * self.width
            y = (row + seconds * (0.05 + 0.12 * size)) % 1 * self.height
            for reach, strength in ((1.6, 60), (1.0, 150)):
                box = (x - radius * reach, y - radius * reach, x + radius * reach, y + radius * reach)
                draw.ellipse(box, fill=(255, 255, 255, strength))
        return np.asarray(picture)
