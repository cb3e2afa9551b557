"""Reads input images and videos. Raises ValueError for unreadable files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps

from sandbox.art.film import Frame


def open_picture(path: Path, mode: str = "RGB") -> Image.Image:
    """Open an image in a mode such as RGB or RGBA, rotated according to its EXIF data."""
    try:
        with Image.open(path) as source:
            return ImageOps.exif_transpose(source).convert(mode)
    except (OSError, Image.DecompressionBombError) as error:
        raise ValueError(f"this image cannot be read: {error}") from error


def fitted(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale and crop the picture to that size, keeping its centre."""
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def pan(picture: Image.Image, size: tuple[int, int], count: int, zoom: float = 0.16) -> Iterator[Frame]:
    """A slow zoom into a picture over ``count`` frames. ``zoom``: the enlargement at the end, as a share."""
    width, height = size
    large = fitted(picture, (round(width * (1 + zoom)), round(height * (1 + zoom))))
    for number in range(count):
        part = number / max(1, count - 1)
        part = part * part * (3 - 2 * part)
        scale = 1 - part * zoom / (1 + zoom)
        box_width, box_height = large.width * scale, large.height * scale
        left, top = (large.width - box_width) * (0.5 + 0.2 * part), (large.height - box_height) * 0.5
        box = (left, top, min(large.width, left + box_width), min(large.height, top + box_height))
        yield np.asarray(large.resize(size, Image.Resampling.BILINEAR, box=box))


def video_properties(path: Path) -> tuple[int, int, float, float]:
    """Width, height, frames per second and duration in seconds of a video."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise ValueError("there is no video in this file")
            stream = container.streams.video[0]
            rate = float(stream.average_rate or 25)
            seconds = float(container.duration or 0) / av.time_base
            return stream.width, stream.height, rate, seconds
    except av.FFmpegError as error:
        raise ValueError(f"this video cannot be read: {error}") from error


def still(path: Path) -> Image.Image:
    """One frame of a video, at about one second."""
    result: av.VideoFrame | None = None
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                result = frame
                if (frame.time or 0.0) >= 1.0:
                    break
    except av.FFmpegError as error:
        raise ValueError(f"this video cannot be read: {error}") from error
    if result is None:
        raise ValueError("there is no video in this file")
    return Image.fromarray(result.to_ndarray(format="rgb24"))


def frames(path: Path, size: tuple[int, int], fps: int, max_seconds: float) -> Iterator[Frame]:
    """The frames of a video, converted to that size and frame rate, up to ``max_seconds``."""
    try:
        with av.open(str(path)) as container:
            due = 0
            for frame in container.decode(video=0):
                at = frame.time if frame.time is not None else due / fps
                if at > max_seconds:
                    return
                picture: Frame | None = None
                while due / fps <= at + 1e-6:
                    if picture is None:
                        picture = np.asarray(
                            frame.reformat(*size, format="rgb24").to_ndarray(), dtype=np.uint8
                        )
                    yield picture
                    due += 1
    except av.FFmpegError as error:
        raise ValueError(f"this video cannot be read: {error}") from error
