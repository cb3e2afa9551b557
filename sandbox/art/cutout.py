"""Finds the subject of a picture: a GrabCut mask with soft edges."""

from __future__ import annotations

import contextlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

type Mask = NDArray[Any]
"""One byte per pixel, 0 background to 255 subject."""

MIN_SIDE, MAX_SIDE = 120, 360
"""Pixels of the long side at which the subject is found: half the picture's, within these limits."""
SUBJECT_DISTANCE = 24.0
"""Minimum colour distance (CIELAB) at which a central pixel initially counts as subject."""
MIN_DEVIATION = 2.0
"""Minimum standard deviation of the colours (0 to 255). Pictures below it have no subject."""
GRAIN = 3
MIN_SHARE, MAX_SHARE = 0.02, 0.97


def subject_mask(rgb: NDArray[np.uint8], before: Mask | None = None, rounds: int = 4) -> Mask:
    """The mask of the subject in rows of RGB. ``before``: the mask of a previous, similar frame of a video."""
    height, width = rgb.shape[:2]
    longest = max(height, width)
    scale = min(1.0, max(MIN_SIDE, min(MAX_SIDE, longest // 2)) / longest)
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    hints = _hints(small, None if before is None else cv2.resize(before, size))
    models = np.zeros((1, 65)), np.zeros((1, 65))
    whole = (0, 0, *size)
    # A single flat colour cannot be segmented: then use the hints alone.
    if small.reshape(-1, 3).std(axis=0).max() >= MIN_DEVIATION:
        with contextlib.suppress(cv2.error):
            cv2.grabCut(_add_grain(small), hints, whole, *models, rounds, cv2.GC_INIT_WITH_MASK)
    mask: Mask = np.where((hints == cv2.GC_FGD) | (hints == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    share = float(mask.mean()) / 255
    if not MIN_SHARE < share < MAX_SHARE:
        mask = _oval(size)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    soft = cv2.GaussianBlur(cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR), (0, 0), 1.2)
    return np.asarray(soft, dtype=np.uint8)


def _add_grain(small: NDArray[Any]) -> NDArray[Any]:
    """Add a little constant grain, since GrabCut does not terminate on areas of one exact colour."""
    grain = np.random.default_rng(1).integers(-GRAIN, GRAIN + 1, small.shape)
    return np.clip(small + grain, 0, 255).astype(np.uint8)


def _hints(small: NDArray[Any], before: Mask | None) -> Mask:
    """The initial GrabCut mask: definite and probable subject, definite and probable background."""
    height, width = small.shape[:2]
    hints = np.full((height, width), cv2.GC_PR_BGD, dtype=np.uint8)
    if before is not None:
        hints[before > 127] = cv2.GC_PR_FGD
    else:
        distance, inside = _background_distance(small), _oval((width, height)) > 0
        hints[inside & (distance > SUBJECT_DISTANCE)] = cv2.GC_PR_FGD
        hints[inside & (distance > 1.7 * SUBJECT_DISTANCE)] = cv2.GC_FGD
        middle = np.zeros((height, width), dtype=np.uint8)
        cv2.ellipse(
            middle, (width // 2, height // 2), (width // 8 or 1, height // 8 or 1), 0, 0, 360, 255, -1
        )
        hints[middle > 0] = cv2.GC_FGD
    edge = max(1, round(min(height, width) * 0.02))
    hints[:edge] = hints[:, :edge] = hints[:, -edge:] = cv2.GC_BGD
    return hints


def _background_distance(small: NDArray[Any]) -> NDArray[Any]:
    """The colour distance of each pixel to the background, extrapolated from the borders of the picture."""
    height, width = small.shape[:2]
    colours = cv2.cvtColor(small, cv2.COLOR_BGR2LAB).astype(np.float32)
    rows, columns = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    terms = np.stack([np.ones_like(rows), rows, columns, rows**2, columns**2, rows * columns], axis=-1)
    border = np.zeros((height, width), dtype=bool)
    edge_x, edge_y = max(1, round(width * 0.14)), max(1, round(height * 0.1))
    border[:edge_y] = border[:, :edge_x] = border[:, -edge_x:] = True
    fit, *_ = np.linalg.lstsq(terms[border], colours[border], rcond=None)
    return np.asarray(np.linalg.norm(colours - terms @ fit, axis=-1))


def _oval(size: tuple[int, int]) -> Mask:
    width, height = size
    oval = np.zeros((height, width), dtype=np.uint8)
    cv2.ellipse(
        oval,
        (width // 2, round(height * 0.54)),
        (round(width * 0.32), round(height * 0.44)),
        0,
        0,
        360,
        255,
        -1,
    )
    return oval
