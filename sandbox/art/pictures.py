"""Image files: the download, the preview and the thumbnail."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image

from sandbox.makers.base import RenditionFile
from sandbox.settings import MAX_SIDE_VARIABLE

PREVIEW_SIDE = 1280
THUMBNAIL_WIDTH = 384
THUMBNAIL_MAX_HEIGHT = 768


def longest_side(default: int) -> int:
    """The long side of new media in pixels. The environment variable limits it, to speed up tests."""
    limit = os.environ.get(MAX_SIDE_VARIABLE)
    return min(default, int(limit)) if limit else default


def pixels(ratio: dict[str, int], long_side: int, *, even: bool = False) -> tuple[int, int]:
    """Width and height in pixels for an aspect ratio and a long side. ``even``: even numbers, for video."""
    width, height = ratio["width"], ratio["height"]
    long_side = longest_side(long_side)
    if width >= height:
        size = long_side, max(1, round(long_side * height / width))
    else:
        size = max(1, round(long_side * width / height)), long_side
    return (size[0] // 2 * 2 or 2, size[1] // 2 * 2 or 2) if even else size


def save_download(picture: Image.Image, folder: Path) -> RenditionFile:
    picture.save(folder / "original.png", compress_level=3)
    return RenditionFile("original.png", "image/png", *picture.size)


def save_preview(picture: Image.Image, folder: Path) -> RenditionFile:
    return _save_webp(picture, folder / "preview.webp", (PREVIEW_SIDE, PREVIEW_SIDE), quality=84)


def save_thumbnail(picture: Image.Image, folder: Path) -> RenditionFile:
    return _save_webp(picture, folder / "thumb.webp", (THUMBNAIL_WIDTH, THUMBNAIL_MAX_HEIGHT), quality=80)


def _save_webp(picture: Image.Image, path: Path, box: tuple[int, int], quality: int) -> RenditionFile:
    small = picture.copy()
    small.thumbnail(box, Image.Resampling.LANCZOS)
    # Higher methods take three times as long, for hardly smaller files.
    small.save(path, quality=quality, method=1)
    return RenditionFile(path.name, "image/webp", *small.size)
