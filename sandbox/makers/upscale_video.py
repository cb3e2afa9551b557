"""upscale-video: twice the resolution, by Lanczos and a little sharpening; the sound is kept."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from sandbox.art import film, footage
from sandbox.art.film import Frame
from sandbox.makers.base import CannotMake, Made, Order
from sandbox.makers.cut_video import MOST_SECONDS, film_track, source_film

FACTOR = 2
MOST_PIXELS = 3840 * 2160
MOST_FPS = 60


def make(order: Order) -> Made:
    source, (width, height, rate, seconds) = source_film(order)
    size = width // 2 * 2 * FACTOR, height // 2 * 2 * FACTOR
    if size[0] * size[1] > MOST_PIXELS:
        raise CannotMake("The video is too large to be enlarged beyond 4K.", "video_too_large")
    fps = max(1, min(MOST_FPS, round(rate)))
    expected = max(1.0, seconds * fps)
    made = film.write(
        _sharper(
            footage.frames(source.path, (size[0] // FACTOR, size[1] // FACTOR), fps, MOST_SECONDS), size
        ),
        size,
        fps,
        order.folder,
        film_track(source.path),
        report=lambda done: order.report(min(1.0, done / expected)),
    )
    return Made(
        type="VIDEO",
        display_name=f"{source.display_name} (enlarged)",
        download=made.download,
        preview=made.preview,
        thumbnail=made.thumbnail,
        hls=made.hls,
        duration=made.duration,
        transcript=source.transcript,
        description=f"{source.display_name}, {FACTOR} times larger.",
    )


def _sharper(frames: Iterator[Frame], size: tuple[int, int]) -> Iterator[Frame]:
    for picture in frames:
        large = cv2.resize(picture, size, interpolation=cv2.INTER_LANCZOS4)
        soft = cv2.GaussianBlur(large, (0, 0), 1.4)
        yield np.asarray(cv2.addWeighted(large, 1.5, soft, -0.5, 0), dtype=np.uint8)
