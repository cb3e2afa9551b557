"""The watermark in the corner, which marks media as created by the sandbox and not by the service."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TEXT = "sandbox placeholder"


@cache
def font(size: float) -> ImageFont.FreeTypeFont:
    """Pillow's built-in font, so that images are identical on every machine."""
    loaded = ImageFont.load_default(size)
    assert isinstance(loaded, ImageFont.FreeTypeFont), "Pillow was built without FreeType"
    return loaded


def overlay(width: int, height: int, text: str = TEXT) -> Image.Image:
    """A transparent image of that size with the watermark in the lower right corner."""
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


def stamp(picture: Image.Image, text: str = TEXT) -> Image.Image:
    """Add the watermark to a picture. Keeps the mode of the picture."""
    stamped = picture.convert("RGBA")
    stamped.alpha_composite(overlay(picture.width, picture.height, text))
    return stamped.convert(picture.mode)


class Watermark:
    """The watermark for many pictures of one size. Changes only the rows that it covers."""

    def __init__(self, size: tuple[int, int], text: str = TEXT) -> None:
        layer = overlay(*size, text)
        self._box = layer.getbbox()
        if self._box is not None:
            part = np.asarray(layer.crop(self._box)).astype(np.float32)
            self._share = part[..., 3:] / 255
            self._colour = part[..., :3]

    def apply(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A copy of the picture (rows of RGB) with the watermark."""
        if self._box is None:
            return picture
        left, top, right, bottom = self._box
        stamped = picture.copy()
        part = stamped[top:bottom, left:right, :3]
        part[...] = part * (1 - self._share) + self._colour * self._share
        return stamped
