"""upscale-video: twice the resolution, with Lanczos resampling and slight sharpening. Keeps the audio."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from sandbox.art import film, footage
from sandbox.art.film import Frame
from sandbox.makers.base import MakerError, Media, Task
from sandbox.makers.inputs import MAX_VIDEO_SECONDS, source_video, video_track

FACTOR = 2
MAX_PIXELS = 3840 * 2160
MAX_FPS = 60


def make(task: Task) -> Media:
    source, (width, height, rate, seconds) = source_video(task)
    size = width // 2 * 2 * FACTOR, height // 2 * 2 * FACTOR
    if size[0] * size[1] > MAX_PIXELS:
        raise MakerError("The video is too large: upscaling is limited to 4K.", "video_too_large")
    fps = max(1, min(MAX_FPS, round(rate)))
    expected = max(1.0, seconds * fps)
    video = film.write(
        _upscale(
            footage.frames(source.path, (size[0] // FACTOR, size[1] // FACTOR), fps, MAX_VIDEO_SECONDS), size
        ),
        size,
        fps,
        task.folder,
        video_track(source.path),
        report=lambda done: task.report(min(1.0, done / expected)),
    )
    return Media(
        type="VIDEO",
        display_name=f"{source.display_name} (upscaled)",
        download=video.download,
        preview=video.preview,
        thumbnail=video.thumbnail,
        hls=video.hls,
        duration=video.duration,
        transcript=source.transcript,
        description=f"{source.display_name}, upscaled {FACTOR} times.",
    )


def _upscale(frames: Iterator[Frame], size: tuple[int, int]) -> Iterator[Frame]:
    for picture in frames:
        large = cv2.resize(picture, size, interpolation=cv2.INTER_LANCZOS4)
        soft = cv2.GaussianBlur(large, (0, 0), 1.4)
        yield np.asarray(cv2.addWeighted(large, 1.5, soft, -0.5, 0), dtype=np.uint8)
