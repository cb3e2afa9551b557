"""Finding the subject of a picture: a mask by GrabCut, soft at its edges."""

from __future__ import annotations

import contextlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

type Mask = NDArray[Any]
"""One byte per pixel, 0 background to 255 subject."""

LARGEST_SIDE = 360
STRANGE = 24.0
"""A distance of colours (CIELAB) from which on a pixel in the middle is taken for the subject at first."""
FLAT = 2.0
"""Pictures whose colours differ less than this (standard deviation, of 255) show no subject."""
GRAIN = 3
SMALLEST_SHARE, LARGEST_SHARE = 0.02, 0.97


def subject_mask(rgb: NDArray[np.uint8], before: Mask | None = None, rounds: int = 4) -> Mask:
    """The subject in rows of RGB. ``before`` is the mask of an earlier, similar picture of a film."""
    height, width = rgb.shape[:2]
    scale = min(1.0, LARGEST_SIDE / max(height, width))
    size = max(8, round(width * scale)), max(8, round(height * scale))
    small = cv2.cvtColor(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR)
    hints = _hints(small, None if before is None else cv2.resize(before, size))
    models = np.zeros((1, 65)), np.zeros((1, 65))
    whole = (0, 0, *size)
    # One flat colour has no two sides: the hints are then all there is to say about it.
    if small.reshape(-1, 3).std(axis=0).max() >= FLAT:
        with contextlib.suppress(cv2.error):
            cv2.grabCut(_grained(small), hints, whole, *models, rounds, cv2.GC_INIT_WITH_MASK)
    found: Mask = np.where((hints == cv2.GC_FGD) | (hints == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    share = float(found.mean()) / 255
    if not SMALLEST_SHARE < share < LARGEST_SHARE:
        found = _oval(size)
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    soft = cv2.GaussianBlur(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR), (0, 0), 1.2)
    return np.asarray(soft, dtype=np.uint8)


def _grained(small: NDArray[Any]) -> NDArray[Any]:
    """The picture with a little grain, always the same: on areas of one exact colour GrabCut never ends."""
    grain = np.random.default_rng(1).integers(-GRAIN, GRAIN + 1, small.shape)
    return np.clip(small + grain, 0, 255).astype(np.uint8)


def _hints(small: NDArray[Any], before: Mask | None) -> Mask:
    """Where the subject surely, perhaps and surely not is, in GrabCut's terms."""
    height, width = small.shape[:2]
    hints = np.full((height, width), cv2.GC_PR_BGD, dtype=np.uint8)
    if before is not None:
        hints[before > 127] = cv2.GC_PR_FGD
    else:
        strange, inside = _strangeness(small), _oval((width, height)) > 0
        hints[inside & (strange > STRANGE)] = cv2.GC_PR_FGD
        hints[inside & (strange > 1.7 * STRANGE)] = cv2.GC_FGD
        middle = np.zeros((height, width), dtype=np.uint8)
        cv2.ellipse(
            middle, (width // 2, height // 2), (width // 8 or 1, height // 8 or 1), 0, 0, 360, 255, -1
        )
        hints[middle > 0] = cv2.GC_FGD
    edge = max(1, round(min(height, width) * 0.02))
    hints[:edge] = hints[:, :edge] = hints[:, -edge:] = cv2.GC_BGD
    return hints


def _strangeness(small: NDArray[Any]) -> NDArray[Any]:
    """How far each pixel's colour is from what the borders of the picture let one expect there."""
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
