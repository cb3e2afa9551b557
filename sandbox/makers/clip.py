"""generate-video-clip: the scene of the prompt in motion, or given pictures and films, with sound if asked."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.art import caption, dsp, effects, film, footage, pictures, sound
from sandbox.art.film import Frame, Track
from sandbox.art.mood import Mood, mood_of
from sandbox.art.scene import Scene
from sandbox.art.talk import say
from sandbox.makers.base import CannotMake, Input, Made, Order, title

FPS = 24
LONG_SIDE = {"LOW": 640, "STANDARD": 960, "HIGH": 1280, "MAX": 1920}
USUAL_SECONDS = 5

_AMBIENCE = {
    "sea": "waves",
    "forest": "birds wind",
    "city": "traffic",
    "desert": "wind",
    "space": "drone",
    "ribbons": "drone",
    "deep": "bubble drone",
    "mountains": "wind",
}


def make(order: Order) -> Made:
    request = order.request
    text = _text(order)
    seed = order.seed(text)
    seconds = int(request["durationSeconds"] or USUAL_SECONDS)
    size = pictures.pixels(request["aspectRatio"], LONG_SIDE[request["quality"]], even=True)
    count = seconds * FPS
    mood = mood_of(text, seed)
    track = _track(order, mood, seed, seconds)
    try:
        made = film.write(
            _captioned(_frames(order, text, seed, size, count), size),
            size,
            FPS,
            order.folder,
            track,
            report=lambda done: order.report(done / count),
        )
    except ValueError as problem:
        raise CannotMake(f"An input could not be used: {problem}.", "unreadable_input") from problem
    spoken = request["spokenDialogue"]
    return Made(
        type="VIDEO",
        display_name=title(text),
        download=made.download,
        preview=made.preview,
        thumbnail=made.thumbnail,
        hls=made.hls,
        duration=made.duration,
        transcript=spoken or None,
        language="en" if spoken else None,
        description=f"{title(text, 200)}. A clip of {seconds} seconds showing {mood.scene} in {mood.light} light.",
    )


def _text(order: Order) -> str:
    """What the clip is about: the prompt, or failing that what is spoken or given."""
    request = order.request
    given = [*_given(order, "IMAGE"), *_given(order, "VIDEO"), *_given(order, "AUDIO")]
    return request["prompt"] or request["spokenDialogue"] or f"Clip of {given[0].display_name}"


def _given(order: Order, kind: str) -> list[Input]:
    """The input files of one type, the start frame first."""
    return [each for each in order.inputs.values() if each.type == kind]


def _frames(order: Order, text: str, seed: int, size: tuple[int, int], count: int) -> Iterator[Frame]:
    films, images = _given(order, "VIDEO"), _given(order, "IMAGE")
    first = order.input("startFrameFileId")
    if first is not None:
        images = [first, *(each for each in images if each.file_id != first.file_id)]
    if films:
        yield from _restyled(films, text, seed, size, count)
    elif images:
        yield from _slides(images, size, count)
    else:
        scene = Scene(text, seed, *size)
        for number in range(count):
            yield scene.frame(number / FPS)


def _slides(images: list[Input], size: tuple[int, int], count: int) -> Iterator[Frame]:
    """Each picture for an equal share of the time."""
    shares = [
        count * (number + 1) // len(images) - count * number // len(images) for number in range(len(images))
    ]
    for image, share in zip(images, shares, strict=True):
        yield from footage.pan(footage.open_picture(image.path), size, share)


def _restyled(films: list[Input], text: str, seed: int, size: tuple[int, int], count: int) -> Iterator[Frame]:
    """The given film in the light of the prompt, from its beginning again where it is too short."""
    tint = np.array(mood_of(text, seed).palette.horizon, dtype=np.float32)
    table = np.linspace(0, 255, 256, dtype=np.float32)[:, None]
    curve = np.clip(table * (0.55 + 0.45 * tint / 255) + tint * 0.08, 0, 255).astype(np.uint8)
    written = 0
    while written < count:
        before = written
        for each in films:
            for picture in footage.frames(each.path, size, FPS, count / FPS):
                if written == count:
                    return
                yield np.stack([curve[picture[..., part], part] for part in range(3)], axis=-1)
                written += 1
        if written == before:
            raise ValueError("no pictures in this file")


def _captioned(frames: Iterator[Frame], size: tuple[int, int]) -> Iterator[Frame]:
    stamp = caption.Stamp(size)
    for picture in frames:
        yield stamp.on(picture)


def _track(order: Order, mood: Mood, seed: int, seconds: int) -> Track | None:
    """The given recordings, the spoken line and what the place sounds like; None for a silent clip."""
    request = order.request
    recordings, spoken = _given(order, "AUDIO"), request["spokenDialogue"]
    if not (request["generateAudio"] or recordings or spoken):
        return None
    length = seconds * dsp.RATE
    mixed = np.zeros((2, length), dtype=np.float32)
    if request["generateAudio"] and not request["suppressBackgroundMusic"]:
        samples, _ = effects.effect(_AMBIENCE[mood.scene], seed, float(seconds), 1.0)
        mixed += samples[:, :length] * (0.35 if recordings or spoken else 0.8)
    voices = [sound.read(each.path, dsp.RATE, 2) for each in recordings]
    if spoken:
        voices.append(say(spoken, request["voiceDescription"] or "", dsp.RATE))
    for voice in voices:
        part = voice[:, :length]
        mixed[:, : part.shape[1]] += part * (0.9 / len(voices))
    return Track(np.clip(mixed, -32_767, 32_767).astype(np.int16), dsp.RATE)
