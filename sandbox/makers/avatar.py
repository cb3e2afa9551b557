"""generate-avatar: a drawn presenter whose mouth follows the loudness of the audio."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.art import film, pictures, sound, watermark
from sandbox.art.face import Appearance, Portrait
from sandbox.art.film import Frame, Track
from sandbox.art.sound import Samples
from sandbox.makers.base import MakerError, Media, Task
from sandbox.presenters import find_presenter

FPS = 25
ASPECT_RATIO, LONG_SIDE = {"width": 16, "height": 9}, 1280
MOUTH_SHAPES = 7
"""Number of different mouth openings that are drawn."""
MAX_SECONDS = 600
RATE = 44_100


def make(task: Task) -> Media:
    presenter = find_presenter(task.request["avatarPresenterId"], task.request["actorEntityId"])
    recording = task.input("audioStorageFileId", "audioFileId")
    if recording is None:
        raise MakerError("There is no audio to speak.", "missing_audio")
    try:
        samples = sound.read(recording.path, RATE, 2)
    except (ValueError, OSError) as error:
        raise MakerError("The audio file could not be read by the avatar renderer.") from error
    if samples.shape[1] > MAX_SECONDS * RATE:
        raise MakerError(f"The audio is longer than {MAX_SECONDS // 60} minutes.", "audio_too_long")
    openings = mouth_openings(samples, RATE, FPS)
    size = pictures.pixels(ASPECT_RATIO, LONG_SIDE, even=True)
    video = film.write(
        speaking(Appearance(**presenter.appearance), size, openings, task.seed(recording.file_id)),
        size,
        FPS,
        task.folder,
        Track(samples, RATE),
        report=lambda done: task.report(done / len(openings)),
    )
    spoken = f": {recording.transcript}" if recording.transcript else "."
    return Media(
        type="VIDEO",
        display_name=f"{presenter.name}: {recording.display_name}",
        download=video.download,
        preview=video.preview,
        thumbnail=video.thumbnail,
        hls=video.hls,
        duration=video.duration,
        transcript=recording.transcript,
        language="en" if recording.transcript else None,
        description=f"The presenter {presenter.name} speaks to the camera{spoken}",
    )


def mouth_openings(samples: Samples, rate: int, fps: int) -> list[float]:
    """The opening of the mouth in each frame, 0 to 1: the loudness relative to the loudest parts."""
    mono = samples.astype(np.float32).mean(axis=0)
    step = rate // fps
    count = max(1, -(-len(mono) // step))
    blocks = np.pad(mono, (0, count * step - len(mono))).reshape(count, step)
    loudness = np.sqrt((blocks**2).mean(axis=1))
    full = max(float(np.percentile(loudness, 92)), 1.0)
    level = np.clip(loudness / full, 0, 1) ** 0.7
    level[loudness < 90] = 0
    # Smooth the values: a mouth follows the sound with a little delay.
    smooth = np.convolve(np.pad(level, 1, mode="edge"), [0.2, 0.6, 0.2], mode="valid")
    return [float(each) for each in smooth]


def speaking(
    appearance: Appearance, size: tuple[int, int], openings: list[float], seed: int
) -> Iterator[Frame]:
    """Draw one frame per mouth opening. The eyes blink at times, and the head rises a little while speaking."""
    portrait = Portrait(appearance, *size)
    mark = watermark.Watermark(size)
    cache: dict[tuple[int, bool, int], Frame] = {}
    rng = np.random.default_rng(seed)
    next_blink, nod = int(rng.integers(20, 80)), 0.0
    for number, opening in enumerate(openings):
        if number > next_blink + 3:
            next_blink = number + int(rng.integers(45, 130))
        nod += ((1 if opening > 0.35 else 0) - nod) * 0.12
        key = round(opening * (MOUTH_SHAPES - 1)), number >= next_blink, round(nod * 4)
        if key not in cache:
            shape, blinking, raised = key
            cache[key] = mark.apply(
                np.asarray(portrait.draw(shape / (MOUTH_SHAPES - 1), blinking, raised * 0.18))
            )
        yield cache[key]
