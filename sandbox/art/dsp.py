"""Small tools for making sound from numbers: coloured noise, tones, envelopes, rooms. Mono floats, 44.1 kHz."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.art.sound import Samples

RATE = 44_100
type Wave = NDArray[np.floating[Any]]


def silence(seconds: float) -> Wave:
    return np.zeros(max(1, round(seconds * RATE)), dtype=np.float32)


def moments(seconds: float) -> Wave:
    """The time of each sample in seconds."""
    return np.arange(max(1, round(seconds * RATE)), dtype=np.float32) / RATE


def noise(dice: np.random.Generator, seconds: float, low: float, high: float, slope: float = 0.0) -> Wave:
    """Noise between two frequencies in Hz; ``slope`` is how fast it falls with the frequency (1 pink, 2 brown)."""
    count = len(silence(seconds))
    spectrum = np.fft.rfft(dice.standard_normal(count, dtype=np.float32))
    pitch = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 1.0)
    shape = 1 / (1 + (low / pitch) ** 4) / (1 + (pitch / high) ** 4) / (pitch / low) ** (slope / 2)
    wave = np.fft.irfft(spectrum * shape, count)
    return (wave / max(float(np.abs(wave).max()), 1e-9)).astype(np.float32)


def drift(dice: np.random.Generator, seconds: float, per_second: float, low: float, high: float) -> Wave:
    """A level that wanders smoothly between two values, with so many turns per second."""
    knots = dice.uniform(low, high, max(4, int(seconds * per_second) + 3))
    place = np.linspace(0, len(knots) - 1.001, len(silence(seconds)))
    left = place.astype(np.int64)
    part = place - left
    part = part * part * (3 - 2 * part)
    return (knots[left] * (1 - part) + knots[left + 1] * part).astype(np.float32)


def tone(frequency: float | Wave, seconds: float, partials: Sequence[float] = (1.0,)) -> Wave:
    """A tone with overtones, each partial with its loudness. The frequency may change over time."""
    time = moments(seconds)
    phase = (
        2 * np.pi * (np.cumsum(frequency) / RATE if isinstance(frequency, np.ndarray) else frequency * time)
    )
    wave = np.zeros_like(time)
    for number, loudness in enumerate(partials, start=1):
        wave += loudness * np.sin(number * phase).astype(np.float32)
    return wave / max(sum(abs(each) for each in partials), 1e-9)


def decay(seconds: float, half_life: float, attack: float = 0.003) -> Wave:
    """An envelope: a quick rise, then half as loud after each ``half_life``."""
    time = moments(seconds)
    envelope: Wave = (np.minimum(time / attack, 1) * 0.5 ** (time / half_life)).astype(np.float32)
    return envelope


def swell(seconds: float, attack: float, release: float) -> Wave:
    """An envelope: rises, stays, and falls at the end."""
    time = moments(seconds)
    rise = np.clip(time / max(attack, 1e-3), 0, 1)
    fall = np.clip((seconds - time) / max(release, 1e-3), 0, 1)
    envelope: Wave = (rise * fall).astype(np.float32)
    return envelope


def place(canvas: Wave, sound: Wave, at: float, loudness: float = 1.0) -> None:
    """Add a sound at a moment in seconds; what reaches past the end is cut."""
    start = round(at * RATE)
    if 0 <= start < len(canvas):
        part = sound[: len(canvas) - start]
        canvas[start : start + len(part)] += part * loudness


def room(dice: np.random.Generator, wave: Wave, seconds: float, wet: float) -> Wave:
    """The sound in a room whose echo lasts so many seconds."""
    echo = noise(dice, seconds, 200, 6000, 0.6) * decay(seconds, seconds / 6)
    size = 1 << (len(wave) + len(echo)).bit_length()
    mixed = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(echo, size), size)[: len(wave)]
    peak = max(float(np.abs(mixed).max()), 1e-9)
    return (wave * (1 - wet) + mixed / peak * wet * float(np.abs(wave).max())).astype(np.float32)


def stereo(left: Wave, right: Wave, *, level: float = 0.8, fade: float = 0.02) -> Samples:
    """Two channels as 16-bit samples, as loud as ``level`` at most, without clicks at the ends."""
    both = np.stack([left, right])
    edge = min(max(1, round(fade * RATE)), both.shape[1] // 2 or 1)
    ramp = np.linspace(0, 1, edge, dtype=np.float32)
    both[:, :edge] *= ramp
    both[:, -edge:] *= ramp[::-1]
    peak = max(float(np.abs(both).max()), 1e-9)
    return (both * (level * 32_767 / peak)).astype(np.int16)


def widened(dice: np.random.Generator, wave: Wave, *, level: float = 0.8, fade: float = 0.02) -> Samples:
    """Stereo from one wave: the sides differ by a few milliseconds and a little loudness."""
    shift = int(dice.integers(200, 700))
    return stereo(wave, 0.92 * np.roll(wave, shift), level=level, fade=fade)
