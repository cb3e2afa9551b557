"""Shared by the audio makers: writes samples as a complete result."""

from __future__ import annotations

from sandbox.art import sound
from sandbox.art.sound import Samples
from sandbox.makers.base import Media, Task


def to_media(task: Task, samples: Samples, rate: int, name: str, description: str) -> Media:
    """Write all renditions of audio without speech."""
    task.report(0.6)
    return Media(
        type="AUDIO",
        display_name=name,
        download=sound.save_wav(samples, rate, task.folder),
        preview=sound.save_mp3(samples, rate, task.folder),
        hls=sound.save_stream(samples, rate, task.folder),
        duration=round(samples.shape[-1] / rate, 3),
        description=description,
    )
