"""generate-sound-effect: rain, bells, engines and so on, synthesised from the words of the prompt."""

from __future__ import annotations

from sandbox.art import dsp, effects
from sandbox.makers.audio import finish
from sandbox.makers.base import Made, Order, title

USUAL_SECONDS = 10.0


def make(order: Order) -> Made:
    prompt = order.request["prompt"]
    seconds = order.request["durationSeconds"] or USUAL_SECONDS
    influence = order.request["promptInfluence"]
    samples, names = effects.effect(
        prompt, order.seed(prompt), seconds, 0.7 if influence is None else influence
    )
    description = f"{title(prompt, 200)}. The sound of {' and '.join(names)}."
    return finish(order, samples, dsp.RATE, title(prompt), description)
