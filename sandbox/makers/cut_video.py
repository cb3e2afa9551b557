"""remove-video-background: the subject of a film on transparency, as WebM."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sandbox.art import film, footage, sound
from sandbox.art.cutout import Mask, subject_mask
from sandbox.art.film import Frame, Track
from sandbox.makers.base import CannotMake, Input, Made, Order

LARGEST_SIDE = 960
MOST_FPS = 15
MOST_SECONDS = 120.0
MASK_EVERY = 3
"""A mask is found for every third frame; the subject does not move far in between."""


def source_film(order: Order) -> tuple[Input, tuple[int, int, float, float]]:
    """The film that was given and its facts, or a refusal."""
    source = order.input("videoStorageFileId", "videoFileId")
    if source is None:
        raise CannotMake("There is no video.", "missing_video")
    try:
        facts = footage.film_facts(source.path)
    except ValueError as problem:
        raise CannotMake(f"The video could not be used: {problem}.", "unreadable_input") from problem
    if facts[3] > MOST_SECONDS:
        raise CannotMake(f"The video is longer than {MOST_SECONDS:g} seconds.", "video_too_long")
    return source, facts


def film_track(path: Path, rate: int = 48_000) -> Track | None:
    """The sound of a film, None for a silent one."""
    try:
        return Track(sound.read(path, rate, 2), rate)
    except ValueError:
        return None


def make(order: Order) -> Made:
    source, (width, height, rate, seconds) = source_film(order)
    scale = min(1.0, LARGEST_SIDE / max(width, height))
    size = max(2, round(width * scale) // 2 * 2), max(2, round(height * scale) // 2 * 2)
    fps = max(1, min(MOST_FPS, round(rate)))
    expected = max(1.0, seconds * fps)
    made = film.write(
        _cut(footage.frames(source.path, size, fps, MOST_SECONDS)),
        size,
        fps,
        order.folder,
        film_track(source.path),
        alpha=True,
        report=lambda done: order.report(min(1.0, done / expected)),
    )
    return Made(
        type="VIDEO",
        display_name=f"{source.display_name} (cut out)",
        download=made.download,
        preview=made.preview,
        thumbnail=made.thumbnail,
        duration=made.duration,
        transcript=source.transcript,
        description=f"The subject of {source.display_name} without its background.",
    )


def _cut(frames: Iterator[Frame]) -> Iterator[Frame]:
    mask: Mask | None = None
    for number, picture in enumerate(frames):
        if mask is None or number % MASK_EVERY == 0:
            mask = subject_mask(picture, mask, rounds=4 if mask is None else 1)
        yield np.dstack([picture, mask])
