"""generate-music: 30 seconds of music in a style chosen by the words of the prompt."""

from __future__ import annotations

from sandbox.art import dsp, music
from sandbox.makers.audio import to_media
from sandbox.makers.base import Media, Task, title

SECONDS = 30.0


def make(task: Task) -> Media:
    prompt = task.request["prompt"]
    samples, style = music.compose(prompt, task.seed(prompt), SECONDS)
    description = f"{title(prompt, 200)}. An instrumental piece of {style} music."
    return to_media(task, samples, dsp.RATE, title(prompt), description)
