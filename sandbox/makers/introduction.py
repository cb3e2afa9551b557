"""The media of a presenter in the presenter list: image, thumbnail, and a clip in which they speak a sentence."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sandbox.art import espeak, film
from sandbox.art.face import Appearance, Portrait
from sandbox.art.film import Track
from sandbox.makers.avatar import FPS, mouth_openings, speaking
from sandbox.makers.base import Media, RenditionFile, Task
from sandbox.presenters import presenter_by_suffix

STILL = (960, 540)
THUMB = (320, 180)
CLIP = (640, 360)
_VOICES = {"FEMALE": ("en-us+f3", 56), "MALE": ("en-us+m3", 42), "NEUTRAL": ("en-us+m7", 54)}


def make(task: Task) -> Media:
    presenter = presenter_by_suffix(task.request["presenter"])
    assert presenter is not None, "only requested for listed presenters"
    appearance = Appearance(**presenter.appearance)
    still = Portrait(appearance, *STILL).draw(0.0)
    still.save(task.folder / "still.jpg", quality=88)
    still.resize(THUMB, Image.Resampling.LANCZOS).save(task.folder / "thumb.jpg", quality=84)
    voice, pitch = _VOICES[presenter.gender]
    sentence = f"Hello, I am {presenter.name}."
    samples = np.frombuffer(espeak.speak(sentence, voice, 1.0, pitch), dtype=np.int16)
    rows = np.atleast_2d(samples)
    clip, seconds = film.write_preview(
        speaking(appearance, CLIP, mouth_openings(rows, espeak.RATE, FPS), task.seed(presenter.suffix)),
        CLIP,
        FPS,
        task.folder,
        Track(samples, espeak.RATE),
    )
    return Media(
        "VIDEO", presenter.name, clip, thumbnail=RenditionFile("thumb.jpg", "image/jpeg"), duration=seconds
    )
