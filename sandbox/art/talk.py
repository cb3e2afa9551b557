"""Spoken dialogue for videos, in a voice chosen by its description."""

from __future__ import annotations

import numpy as np

from sandbox.art import espeak
from sandbox.art.mood import words_of
from sandbox.art.sound import Samples

_FEMALE = frozenset(["female", "woman", "girl", "lady", "she", "her", "mother", "queen", "actress"])
_DEEP = frozenset(["deep", "low", "old", "gruff", "dark", "giant"])


def say(text: str, description: str, rate: int) -> Samples:
    """The spoken text as two equal channels at that sample rate."""
    words = set(words_of(description))
    voice = "en-us+f3" if words & _FEMALE else "en-us+m3"
    pitch = 30 if words & _DEEP else 52
    spoken = np.frombuffer(espeak.speak(text, voice, 1.0, pitch), dtype=np.int16).astype(np.float32)
    count = int(len(spoken) * rate / espeak.RATE)
    stretched = np.interp(np.linspace(0, len(spoken) - 1, count), np.arange(len(spoken)), spoken)
    return np.stack([stretched, stretched]).astype(np.int16)
