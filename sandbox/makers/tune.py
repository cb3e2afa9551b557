"""generate-music: half a minute of music in the style that the words of the prompt ask for."""

from __future__ import annotations

from sandbox.art import dsp, music
from sandbox.makers.audio import finish
from sandbox.makers.base import Made, Order, title

SECONDS = 30.0


def make(order: Order) -> Made:
    prompt = order.request["prompt"]
    samples, style = music.compose(prompt, order.seed(prompt), SECONDS)
    description = f"{title(prompt, 200)}. An instrumental piece of {style} music."
    return finish(order, samples, dsp.RATE, title(prompt), description)
