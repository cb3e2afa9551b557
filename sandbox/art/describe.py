"""Descriptions of uploaded files, from simple image properties and the file name."""

from __future__ import annotations

import colorsys
import re

import numpy as np
from PIL import Image

_HUES = ((20, "red"), (45, "orange"), (70, "yellow"), (165, "green"), (200, "turquoise"),
         (260, "blue"), (300, "violet"), (340, "pink"), (361, "red"))  # fmt: skip


def picture(image: Image.Image) -> str:
    """For example "A wide, bright picture, mostly blue and green"."""
    width, height = image.size
    shape = "wide" if width > height * 1.15 else "tall" if height > width * 1.15 else "square"
    pixels = np.asarray(image.convert("RGB").resize((24, 24), Image.Resampling.BOX)).reshape(-1, 3)
    level = float(pixels.mean())
    light = "dark" if level < 70 else "bright" if level > 170 else "evenly lit"
    counts: dict[str, int] = {}
    for red, green, blue in pixels.tolist():
        name = colour_name(red, green, blue)
        counts[name] = counts.get(name, 0) + 1
    top_colours = sorted(counts, key=lambda name: -counts[name])[:2]
    return f"A {shape}, {light} picture, mostly {' and '.join(top_colours)}"


def colour_name(red: int, green: int, blue: int) -> str:
    hue, light, saturation = colorsys.rgb_to_hls(red / 255, green / 255, blue / 255)
    if light < 0.12:
        return "black"
    if light > 0.92:
        return "white"
    if saturation < 0.14:
        return "grey"
    return next(name for limit, name in _HUES if hue * 360 < limit)


def subject(display_name: str) -> str:
    """The words of a file name: "beach at dawn" for "beach_at-dawn (2).JPG"."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", display_name)
    words = re.sub(r"[^\w]+|_+", " ", stem).strip()
    return words or display_name
