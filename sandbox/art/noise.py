"""Smooth random curves and clouds, from which landscapes are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

type Floats = NDArray[np.floating[Any]]


class Curve:
    """A smooth random function with values from 0 to 1, periodic, and reproducible from the generator state."""

    def __init__(self, generator: np.random.Generator, octaves: int = 4, roughness: float = 0.5) -> None:
        self._knots = generator.random((octaves, 512), dtype=np.float32)
        self._shares = np.array([roughness**level for level in range(octaves)], dtype=np.float32)

    def __call__(self, x: Floats) -> Floats:
        total = np.zeros_like(x)
        for level, knots in enumerate(self._knots):
            position = x * 2**level
            floor = np.floor(position)
            part = position - floor
            part *= part * (3 - 2 * part)
            left = floor.astype(np.int32)
            below, above = knots[left & 511], knots[(left + 1) & 511]
            total += self._shares[level] * (below + (above - below) * part)
        return total / self._shares.sum()


def clouds(
    generator: np.random.Generator, width: int, height: int, cells: tuple[int, int], octaves: int = 4
) -> Floats:
    """A soft random field, 0 to 1. ``cells``: number of blobs across and down at the coarsest level."""
    field = np.zeros((height, width), dtype=np.float32)
    weight = 1.0
    for level in range(octaves):
        across, down = cells[0] * 2**level + 1, cells[1] * 2**level + 1
        grid = generator.random((down, across), dtype=np.float32)
        field += weight * np.asarray(Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC))
        weight *= 0.5
    low, high = field.min(), field.max()
    return (field - low) / max(float(high - low), 1e-6)
