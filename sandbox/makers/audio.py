"""What all makers of sound share: from samples to a finished result."""

from __future__ import annotations

from sandbox.art import sound
from sandbox.art.sound import Samples
from sandbox.makers.base import Made, Order


def finish(order: Order, samples: Samples, rate: int, name: str, description: str) -> Made:
    """Write all renditions of a sound without words."""
    order.report(0.6)
    return Made(
        type="AUDIO",
        display_name=name,
        download=sound.save_wav(samples, rate, order.folder),
        preview=sound.save_mp3(samples, rate, order.folder),
        hls=sound.save_stream(samples, rate, order.folder),
        duration=round(samples.shape[-1] / rate, 3),
        description=description,
    )
