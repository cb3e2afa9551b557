"""Still pictures as files: the best form, the preview, the thumbnail."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from sandbox.makers.base import Form

PREVIEW_SIDE = 1280
THUMBNAIL_WIDTH = 384
THUMBNAIL_TALLEST = 768
LONGEST_SIDE = "SANDBOX_LONGEST_SIDE"


def longest_side(usual: int) -> int:
    """The long side of what is drawn anew; the variable makes it smaller, and quicker to make."""
    told = os.environ.get(LONGEST_SIDE)
    return min(usual, int(told)) if told else usual


def pixels(ratio: dict[str, int], long_side: int, *, even: bool = False) -> tuple[int, int]:
    """Width and height in pixels of a proportion, with the given long side; even numbers for video."""
    width, height = ratio["width"], ratio["height"]
    long_side = longest_side(long_side)
    if width >= height:
        size = long_side, max(1, round(long_side * height / width))
    else:
        size = max(1, round(long_side * width / height)), long_side
    return (size[0] // 2 * 2 or 2, size[1] // 2 * 2 or 2) if even else size


def save_download(picture: Image.Image, folder: Path) -> Form:
    picture.save(folder / "original.png", compress_level=3)
    return Form("original.png", "image/png", *picture.size)


def save_preview(picture: Image.Image, folder: Path) -> Form:
    return _save_webp(picture, folder / "preview.webp", (PREVIEW_SIDE, PREVIEW_SIDE), quality=84)


def save_thumbnail(picture: Image.Image, folder: Path) -> Form:
    return _save_webp(picture, folder / "thumb.webp", (THUMBNAIL_WIDTH, THUMBNAIL_TALLEST), quality=80)


def _save_webp(picture: Image.Image, path: Path, box: tuple[int, int], quality: int) -> Form:
    small = picture.copy()
    small.thumbnail(box, Image.Resampling.LANCZOS)
    small.save(path, quality=quality, method=3)
    return Form(path.name, "image/webp", *small.size)
