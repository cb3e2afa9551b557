"""image-3d-effect: a camera moves slightly around an image with an estimated depth."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from sandbox.art import film, footage, pictures
from sandbox.art.film import Frame
from sandbox.makers.base import Media, Task
from sandbox.makers.inputs import source_image

FPS = 24
SECONDS = 4
LONG_SIDE = 960
REACH = 0.03
"""Movement of the nearest parts, as a share of the long side."""


def make(task: Task) -> Media:
    source, picture = source_image(task)
    scale = pictures.longest_side(LONG_SIDE) / max(picture.size)
    size = max(2, round(picture.width * scale) // 2 * 2), max(2, round(picture.height * scale) // 2 * 2)
    count = FPS * SECONDS
    video = film.write(
        _move_camera(np.asarray(footage.fitted(picture, size)), count, task.index),
        size,
        FPS,
        task.folder,
        report=lambda done: task.report(done / count),
    )
    return Media(
        type="VIDEO",
        display_name=f"{source.display_name} (3D)",
        download=video.download,
        preview=video.preview,
        thumbnail=video.thumbnail,
        hls=video.hls,
        duration=video.duration,
        description=f"The camera moves around {source.display_name}.",
    )


def estimate_depth(picture: Frame) -> np.ndarray:
    """Estimated depth, 0 far to 1 near: low and dark areas are near. Blurred."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    height = np.linspace(0, 1, picture.shape[0], dtype=np.float32)[:, None]
    depth = 0.7 * height + 0.3 * (1 - grey)
    return np.asarray(cv2.GaussianBlur(depth, (0, 0), picture.shape[1] / 60))


def _move_camera(picture: Frame, count: int, variant: int) -> Iterator[Frame]:
    """One full turn of the camera, so that the clip loops. Other variants turn the other way, or higher."""
    height, width = picture.shape[:2]
    depth = estimate_depth(picture) - 0.5
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    reach = REACH * max(height, width)
    turn, lift = (1, -1)[variant % 2], (0.35, 0.6)[variant // 2 % 2]
    for number in range(count):
        angle = 2 * np.pi * number / count
        zoom = 1 - REACH * 1.6 * (1 - 0.3 * np.cos(angle))
        x = (columns - width / 2) * zoom + width / 2 + np.float32(turn * reach * np.sin(angle)) * depth
        y = (rows - height / 2) * zoom + height / 2 + np.float32(lift * reach * np.cos(angle)) * depth
        moved = cv2.remap(
            picture,
            x.astype(np.float32),
            y.astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )
        yield np.asarray(moved, dtype=np.uint8)
