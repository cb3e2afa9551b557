"""generate-avatar: a drawn presenter whose mouth follows the loudness of the given sound."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.art import caption, film, pictures, sound
from sandbox.art.face import Look, Portrait
from sandbox.art.film import Frame, Track
from sandbox.art.sound import Samples
from sandbox.makers.base import CannotMake, Made, Order
from sandbox.presenters import find_presenter

FPS = 25
SHAPE, LONG_SIDE = {"width": 16, "height": 9}, 1280
SHAPES = 7
"""How many openings of the mouth are drawn."""
LONGEST_SECONDS = 600
RATE = 44_100


def make(order: Order) -> Made:
    presenter = find_presenter(order.request["avatarPresenterId"], order.request["actorEntityId"])
    recording = order.input("audioStorageFileId", "audioFileId")
    if recording is None:
        raise CannotMake("There is no audio to speak.", "missing_audio")
    try:
        samples = sound.read(recording.path, RATE, 2)
    except (ValueError, OSError) as problem:
        raise CannotMake("The audio file could not be read by the avatar renderer.") from problem
    if samples.shape[1] > LONGEST_SECONDS * RATE:
        raise CannotMake(f"The audio is longer than {LONGEST_SECONDS // 60} minutes.", "audio_too_long")
    openings = mouth_openings(samples, RATE, FPS)
    size = pictures.pixels(SHAPE, LONG_SIDE, even=True)
    made = film.write(
        speaking(Look(**presenter.look), size, openings, order.seed(recording.file_id)),
        size,
        FPS,
        order.folder,
        Track(samples, RATE),
        report=lambda done: order.report(done / len(openings)),
    )
    said = f": {recording.transcript}" if recording.transcript else "."
    return Made(
        type="VIDEO",
        display_name=f"{presenter.name}: {recording.display_name}",
        download=made.download,
        preview=made.preview,
        thumbnail=made.thumbnail,
        hls=made.hls,
        duration=made.duration,
        transcript=recording.transcript,
        language="en" if recording.transcript else None,
        description=f"The presenter {presenter.name} speaks to the camera{said}",
    )


def mouth_openings(samples: Samples, rate: int, fps: int) -> list[float]:
    """How far the mouth is open in each frame, 0 to 1: the loudness against the loudest parts."""
    mono = samples.astype(np.float32).mean(axis=0)
    step = rate // fps
    count = max(1, -(-len(mono) // step))
    blocks = np.pad(mono, (0, count * step - len(mono))).reshape(count, step)
    loudness = np.sqrt((blocks**2).mean(axis=1))
    full = max(float(np.percentile(loudness, 92)), 1.0)
    level = np.clip(loudness / full, 0, 1) ** 0.7
    level[loudness < 90] = 0
    # A mouth has weight: it follows the sound with a little delay.
    smooth = np.convolve(np.pad(level, 1, mode="edge"), [0.2, 0.6, 0.2], mode="valid")
    return [float(each) for each in smooth]


def speaking(look: Look, size: tuple[int, int], openings: list[float], seed: int) -> Iterator[Frame]:
    """One frame per opening; the eyes blink now and then, the head rises a little while speaking."""
    portrait = Portrait(look, *size)
    stamp = caption.Stamp(size)
    drawn: dict[tuple[int, bool, int], Frame] = {}
    dice = np.random.default_rng(seed)
    next_blink, nod = int(dice.integers(20, 80)), 0.0
    for number, opening in enumerate(openings):
        if number > next_blink + 3:
            next_blink = number + int(dice.integers(45, 130))
        nod += ((1 if opening > 0.35 else 0) - nod) * 0.12
        key = round(opening * (SHAPES - 1)), number >= next_blink, round(nod * 4)
        if key not in drawn:
            shape, blinking, raised = key
            drawn[key] = stamp.on(np.asarray(portrait.draw(shape / (SHAPES - 1), blinking, raised * 0.18)))
        yield drawn[key]
