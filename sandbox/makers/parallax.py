"""image-3d-effect: a camera that moves a little around a still picture whose depth is guessed."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from sandbox.art import film, footage, pictures
from sandbox.art.film import Frame
from sandbox.makers.base import CannotMake, Made, Order

FPS = 24
SECONDS = 4
LONG_SIDE = 960
REACH = 0.03
"""How far the nearest parts move, as a share of the long side."""


def make(order: Order) -> Made:
    source = order.input("imageStorageFileId", "imageFileId")
    if source is None:
        raise CannotMake("There is no image to move through.", "missing_image")
    try:
        picture = footage.open_picture(source.path)
    except ValueError as problem:
        raise CannotMake(f"The image could not be used: {problem}.", "unreadable_input") from problem
    scale = pictures.longest_side(LONG_SIDE) / max(picture.size)
    size = max(2, round(picture.width * scale) // 2 * 2), max(2, round(picture.height * scale) // 2 * 2)
    count = FPS * SECONDS
    made = film.write(
        _moves(np.asarray(footage.fitted(picture, size)), count, order.index),
        size,
        FPS,
        order.folder,
        report=lambda done: order.report(done / count),
    )
    return Made(
        type="VIDEO",
        display_name=f"{source.display_name} (3D)",
        download=made.download,
        preview=made.preview,
        thumbnail=made.thumbnail,
        hls=made.hls,
        duration=made.duration,
        description=f"The camera moves around {source.display_name}.",
    )


def depth_of(picture: Frame) -> np.ndarray:
    """A guess, 0 far to 1 near: what is low and what is dark is near, and edges are soft."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    height = np.linspace(0, 1, picture.shape[0], dtype=np.float32)[:, None]
    guess = 0.7 * height + 0.3 * (1 - grey)
    return np.asarray(cv2.GaussianBlur(guess, (0, 0), picture.shape[1] / 60))


def _moves(picture: Frame, count: int, variant: int) -> Iterator[Frame]:
    """One turn of the camera, so that the clip can loop. Alternatives turn the other way, or higher."""
    height, width = picture.shape[:2]
    depth = depth_of(picture) - 0.5
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
