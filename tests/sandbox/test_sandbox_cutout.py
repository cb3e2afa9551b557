"""Background removal: every picture, however plain, gets a mask within seconds."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from sandbox.art.cutout import subject_mask
from tests.waiting import PROCESS_DEADLINE

SIZE = (180, 320)


def plain(shade: int) -> np.ndarray:
    return np.full((*SIZE, 3), shade, dtype=np.uint8)


def halves() -> np.ndarray:
    picture = plain(0)
    picture[:, 160:] = 255
    return picture


def square() -> np.ndarray:
    picture = plain(255)
    picture[50:130, 110:210] = (200, 30, 30)
    return picture


def stripes() -> np.ndarray:
    picture = plain(20)
    picture[::2] = 235
    return picture


def create_masks(pictures: list[np.ndarray]) -> None:
    mask = None
    for picture in pictures:
        mask = subject_mask(picture, mask, rounds=4 if mask is None else 1)
        assert mask.shape == SIZE


@pytest.mark.parametrize(
    "pictures",
    [
        [plain(shade) for shade in (0, 15, 30, 45)],
        [plain(255), plain(254)],
        [halves(), halves()[:, ::-1]],
        [square(), plain(0), square()],
        [stripes(), plain(9)],
    ],
    ids=["greys", "white", "halves", "square", "stripes"],
)
def test_plain_pictures_get_a_mask_quickly(pictures: list[np.ndarray]) -> None:
    """Runs in a separate process, since an endless OpenCV call cannot be interrupted."""
    process = multiprocessing.get_context("spawn").Process(target=create_masks, args=(pictures,))
    process.start()
    process.join(PROCESS_DEADLINE)
    try:
        assert process.exitcode == 0
    finally:
        process.kill()
        process.join()


def test_subject_on_a_plain_background_is_found() -> None:
    mask = subject_mask(square())
    assert mask[60:120, 120:200].mean() > 240
    assert mask[:40].mean() < 10
