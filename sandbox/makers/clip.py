"""generate-video-clip: an animated scene from the prompt, or the input images and videos, with optional audio."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sandbox.art import dsp, effects, film, footage, pictures, sound, watermark
from sandbox.art.film import Frame, Track
from sandbox.art.mood import Mood, mood_of
from sandbox.art.scene import Scene
from sandbox.art.talk import say
from sandbox.makers.base import Input, MakerError, Media, Task, title

FPS = 24
LONG_SIDE = {"LOW": 640, "STANDARD": 960, "HIGH": 1280, "MAX": 1920}
DEFAULT_SECONDS = 5

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


def make(task: Task) -> Media:
    request = task.request
    text = _text(task)
    seed = task.seed(text)
    seconds = int(request["durationSeconds"] or DEFAULT_SECONDS)
    size = pictures.pixels(request["aspectRatio"], LONG_SIDE[request["quality"]], even=True)
    count = seconds * FPS
    mood = mood_of(text, seed)
    track = _track(task, mood, seed, seconds)
    try:
        video = film.write(
            _watermarked(_frames(task, text, seed, size, count), size),
            size,
            FPS,
            task.folder,
            track,
            report=lambda done: task.report(done / count),
        )
    except ValueError as error:
        raise MakerError(f"An input could not be used: {error}.", "unreadable_input") from error
    spoken = request["spokenDialogue"]
    return Media(
        type="VIDEO",
        display_name=title(text),
        download=video.download,
        preview=video.preview,
        thumbnail=video.thumbnail,
        hls=video.hls,
        duration=video.duration,
        transcript=spoken or None,
        language="en" if spoken else None,
        description=f"{title(text, 200)}. A clip of {seconds} seconds showing {mood.scene} in {mood.light} light.",
    )


def _text(task: Task) -> str:
    """The subject of the clip: the prompt, else the dialogue, else the name of the first input."""
    request = task.request
    inputs = [*_inputs(task, "IMAGE"), *_inputs(task, "VIDEO"), *_inputs(task, "AUDIO")]
    return request["prompt"] or request["spokenDialogue"] or f"Clip of {inputs[0].display_name}"


def _inputs(task: Task, kind: str) -> list[Input]:
    """The input files of one type."""
    return [each for each in task.inputs.values() if each.type == kind]


def _frames(task: Task, text: str, seed: int, size: tuple[int, int], count: int) -> Iterator[Frame]:
    videos, images = _inputs(task, "VIDEO"), _inputs(task, "IMAGE")
    first = task.input("startFrameFileId")
    if first is not None:
        images = [first, *(each for each in images if each.file_id != first.file_id)]
    if videos:
        yield from _restyled(videos, text, seed, size, count)
    elif images:
        yield from _slides(images, size, count)
    else:
        scene = Scene(text, seed, *size)
        for number in range(count):
            yield scene.frame(number / FPS)


def _slides(images: list[Input], size: tuple[int, int], count: int) -> Iterator[Frame]:
    """Show each image for an equal share of the time."""
    shares = [
        count * (number + 1) // len(images) - count * number // len(images) for number in range(len(images))
    ]
    for image, share in zip(images, shares, strict=True):
        yield from footage.pan(footage.open_picture(image.path), size, share)


def _restyled(
    videos: list[Input], text: str, seed: int, size: tuple[int, int], count: int
) -> Iterator[Frame]:
    """The input videos, tinted to match the prompt. Loops if they are too short."""
    tint = np.array(mood_of(text, seed).palette.horizon, dtype=np.float32)
    table = np.linspace(0, 255, 256, dtype=np.float32)[:, None]
    curve = np.clip(table * (0.55 + 0.45 * tint / 255) + tint * 0.08, 0, 255).astype(np.uint8)
    written = 0
    while written < count:
        before = written
        for each in videos:
            for picture in footage.frames(each.path, size, FPS, count / FPS):
                if written == count:
                    return
                yield np.stack([curve[picture[..., part], part] for part in range(3)], axis=-1)
                written += 1
        if written == before:
            raise ValueError("there is no video in this file")


def _watermarked(frames: Iterator[Frame], size: tuple[int, int]) -> Iterator[Frame]:
    mark = watermark.Watermark(size)
    for picture in frames:
        yield mark.apply(picture)


def _track(task: Task, mood: Mood, seed: int, seconds: int) -> Track | None:
    """Mix the input audio, the dialogue and the ambience of the scene. None for a silent clip."""
    request = task.request
    recordings, spoken = _inputs(task, "AUDIO"), request["spokenDialogue"]
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
