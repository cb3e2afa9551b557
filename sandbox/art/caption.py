"""The small strip in a corner that says what a picture is: made by the sandbox, not by the service."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

STRIP = "sandbox stand-in"


@cache
def font(size: float) -> ImageFont.FreeTypeFont:
    """Pillow's own typeface, so that a picture looks the same on every machine."""
    found = ImageFont.load_default(size)
    assert isinstance(found, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return found


def overlay(width: int, height: int, text: str = STRIP) -> Image.Image:
    """A transparent picture of that size with the strip in its lower right corner."""
    layer = Image.new("RGBA", (width, height))
    size = max(9.0, min(width, height) / 46)
    pad = size * 0.55
    draw = ImageDraw.Draw(layer)
    left, top, right, bottom = draw.textbbox((0, 0), text, font=font(size))
    box_width, box_height = right - left + 2 * pad, bottom - top + 1.5 * pad
    x, y = width - box_width - size, height - box_height - size
    if x < 0 or y < 0:
        return layer
    draw.rounded_rectangle((x, y, x + box_width, y + box_height), radius=box_height / 2, fill=(0, 0, 0, 96))
    draw.text((x + pad - left, y + 0.75 * pad - top), text, font=font(size), fill=(255, 255, 255, 215))
    return layer


def stamp(picture: Image.Image, text: str = STRIP) -> Image.Image:
    """The picture with the strip on it, in its own mode."""
    stamped = picture.convert("RGBA")
    stamped.alpha_composite(overlay(picture.width, picture.height, text))
    return stamped.convert(picture.mode)


class Stamp:
    """The strip for many pictures of one size; only the rows it covers are touched."""

    def __init__(self, size: tuple[int, int], text: str = STRIP) -> None:
        layer = overlay(*size, text)
        self._box = layer.getbbox()
        if self._box is not None:
            part = np.asarray(layer.crop(self._box)).astype(np.float32)
            self._share = part[..., 3:] / 255
            self._colour = part[..., :3]

    def on(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of the picture (rows of RGB) with the strip on it."""
        if self._box is None:
            return picture
        left, top, right, bottom = self._box
        stamped = picture.copy()
        part = stamped[top:bottom, left:right, :3]
        part[...] = part * (1 - self._share) + self._colour * self._share
        return stamped
