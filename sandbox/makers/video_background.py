"""remove-video-background: the subject of a video on a transparent background, as WebM."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.art import film, footage
from sandbox.art.cutout import Mask, subject_mask
from sandbox.art.film import Frame
from sandbox.makers.base import Media, Task
from sandbox.makers.inputs import MAX_VIDEO_SECONDS, source_video, video_track

MAX_SIDE = 960
MAX_FPS = 15
MASK_INTERVAL = 3
"""Compute a mask for every third frame only, since the subject hardly moves in between."""


def make(task: Task) -> Media:
    source, (width, height, rate, seconds) = source_video(task)
    scale = min(1.0, MAX_SIDE / max(width, height))
    size = max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)
    fps = max(1, min(MAX_FPS, round(rate)))
    expected = max(1.0, seconds * fps)
    video = film.write(
        _cut(footage.frames(source.path, size, fps, MAX_VIDEO_SECONDS)),
        size,
        fps,
        task.folder,
        video_track(source.path),
        alpha=True,
        report=lambda done: task.report(min(1.0, done / expected)),
    )
    return Media(
        type="VIDEO",
        display_name=f"{source.display_name} (background removed)",
        download=video.download,
        preview=video.preview,
        thumbnail=video.thumbnail,
        duration=video.duration,
        transcript=source.transcript,
        description=f"The subject of {source.display_name} without its background.",
    )


def _cut(frames: Iterator[Frame]) -> Iterator[Frame]:
    mask: Mask | None = None
    for number, picture in enumerate(frames):
        if mask is None or number % MASK_INTERVAL == 0:
            mask = subject_mask(picture, mask, rounds=4 if mask is None else 1)
        yield np.dstack([picture, mask])
