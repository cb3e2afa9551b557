"""generate-sound-effect: rain, bells, engines and so on, synthesised from the words of the prompt."""

from __future__ import annotations

from sandbox.art import dsp, effects
from sandbox.makers.audio import to_media
from sandbox.makers.base import Media, Task, title

DEFAULT_SECONDS = 10.0


def make(task: Task) -> Media:
    prompt = task.request["prompt"]
    seconds = task.request["durationSeconds"] or DEFAULT_SECONDS
    influence = task.request["promptInfluence"]
    samples, names = effects.effect(
        prompt, task.seed(prompt), seconds, 0.7 if influence is None else influence
    )
    description = f"{title(prompt, 200)}. The sound of {' and '.join(names)}."
    return to_media(task, samples, dsp.RATE, title(prompt), description)
