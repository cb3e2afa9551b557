"""What the presenter catalogue shows of a presenter: a still, a small one, and a clip in which they speak a line."""

from __future__ import annotations

import numpy as np
from PIL import Image

from sandbox.art import espeak, film
from sandbox.art.face import Look, Portrait
from sandbox.art.film import Track
from sandbox.makers.avatar import FPS, mouth_openings, speaking
from sandbox.makers.base import Form, Made, Order
from sandbox.presenters import by_tail

STILL = (960, 540)
THUMB = (320, 180)
CLIP = (640, 360)
_VOICES = {"FEMALE": ("en-us+f3", 56), "MALE": ("en-us+m3", 42), "NEUTRAL": ("en-us+m7", 54)}


def make(order: Order) -> Made:
    presenter = by_tail(order.request["presenter"])
    assert presenter is not None, "the catalogue orders only those that it lists"
    look = Look(**presenter.look)
    still = Portrait(look, *STILL).draw(0.0)
    still.save(order.folder / "still.jpg", quality=88)
    still.resize(THUMB, Image.Resampling.LANCZOS).save(order.folder / "thumb.jpg", quality=84)
    voice, pitch = _VOICES[presenter.gender]
    line = f"Hello, I am {presenter.name}."
    samples = np.frombuffer(espeak.speak(line, voice, 1.0, pitch), dtype=np.int16)
    rows = np.atleast_2d(samples)
    clip, seconds = film.write_preview(
        speaking(look, CLIP, mouth_openings(rows, espeak.RATE, FPS), order.seed(presenter.tail)),
        CLIP,
        FPS,
        order.folder,
        Track(samples, espeak.RATE),
    )
    return Made("VIDEO", presenter.name, clip, thumbnail=Form("thumb.jpg", "image/jpeg"), duration=seconds)
