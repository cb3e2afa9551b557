"""Sound synthesis: coloured noise, tones, envelopes, reverb. Mono floats at 44.1 kHz."""

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


def time_axis(seconds: float) -> Wave:
    """The time of each sample in seconds."""
    return np.arange(max(1, round(seconds * RATE)), dtype=np.float32) / RATE


def noise(rng: np.random.Generator, seconds: float, low: float, high: float, slope: float = 0.0) -> Wave:
    """Noise between two frequencies in Hz. ``slope``: how fast it falls with frequency (1 pink, 2 brown)."""
    count = len(silence(seconds))
    spectrum = np.fft.rfft(rng.standard_normal(count, dtype=np.float32))
    pitch = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 1.0)
    shape = 1 / (1 + (low / pitch) ** 4) / (1 + (pitch / high) ** 4) / (pitch / low) ** (slope / 2)
    wave = np.fft.irfft(spectrum * shape, count)
    return (wave / max(float(np.abs(wave).max()), 1e-9)).astype(np.float32)


def drift(rng: np.random.Generator, seconds: float, per_second: float, low: float, high: float) -> Wave:
    """A random level that moves smoothly between two values, with ``per_second`` knots per second."""
    knots = rng.uniform(low, high, max(4, int(seconds * per_second) + 3))
    position = np.linspace(0, len(knots) - 1.001, len(silence(seconds)))
    left = position.astype(np.int64)
    part = position - left
    part = part * part * (3 - 2 * part)
    return (knots[left] * (1 - part) + knots[left + 1] * part).astype(np.float32)


def tone(frequency: float | Wave, seconds: float, partials: Sequence[float] = (1.0,)) -> Wave:
    """A tone with overtones. ``partials``: the loudness of each. The frequency may change over time."""
    time = time_axis(seconds)
    phase = (
        2 * np.pi * (np.cumsum(frequency) / RATE if isinstance(frequency, np.ndarray) else frequency * time)
    )
    wave = np.zeros_like(time)
    for number, loudness in enumerate(partials, start=1):
        wave += loudness * np.sin(number * phase).astype(np.float32)
    return wave / max(sum(abs(each) for each in partials), 1e-9)


def decay(seconds: float, half_life: float, attack: float = 0.003) -> Wave:
    """An envelope with a fast attack that halves after each ``half_life``. Times in seconds."""
    time = time_axis(seconds)
    envelope: Wave = (np.minimum(time / attack, 1) * 0.5 ** (time / half_life)).astype(np.float32)
    return envelope


def swell(seconds: float, attack: float, release: float) -> Wave:
    """An envelope that rises, stays constant and falls at the end. Times in seconds."""
    time = time_axis(seconds)
    rise = np.clip(time / max(attack, 1e-3), 0, 1)
    fall = np.clip((seconds - time) / max(release, 1e-3), 0, 1)
    envelope: Wave = (rise * fall).astype(np.float32)
    return envelope


def mix_at(canvas: Wave, sound: Wave, at: float, loudness: float = 1.0) -> None:
    """Add a sound at a time in seconds. Cuts it at the end of the canvas."""
    start = round(at * RATE)
    if 0 <= start < len(canvas):
        part = sound[: len(canvas) - start]
        canvas[start : start + len(part)] += part * loudness


def reverb(rng: np.random.Generator, wave: Wave, seconds: float, wet: float) -> Wave:
    """Add reverb that lasts ``seconds``. ``wet``: its share, 0 to 1."""
    echo = noise(rng, seconds, 200, 6000, 0.6) * decay(seconds, seconds / 6)
    size = 1 << (len(wave) + len(echo)).bit_length()
    mixed = np.fft.irfft(np.fft.rfft(wave, size) * np.fft.rfft(echo, size), size)[: len(wave)]
    peak = max(float(np.abs(mixed).max()), 1e-9)
    return (wave * (1 - wet) + mixed / peak * wet * float(np.abs(wave).max())).astype(np.float32)


def stereo(left: Wave, right: Wave, *, level: float = 0.8, fade: float = 0.02) -> Samples:
    """Two channels as 16-bit samples, normalised to ``level`` and faded at both ends to avoid clicks."""
    both = np.stack([left, right])
    edge = min(max(1, round(fade * RATE)), both.shape[1] // 2 or 1)
    ramp = np.linspace(0, 1, edge, dtype=np.float32)
    both[:, :edge] *= ramp
    both[:, -edge:] *= ramp[::-1]
    peak = max(float(np.abs(both).max()), 1e-9)
    return (both * (level * 32_767 / peak)).astype(np.int16)


def to_stereo(rng: np.random.Generator, wave: Wave, *, level: float = 0.8, fade: float = 0.02) -> Samples:
    """Stereo from one wave: the channels differ by a few milliseconds and slightly in loudness."""
    shift = int(rng.integers(200, 700))
    return stereo(wave, 0.92 * np.roll(wave, shift), level=level, fade=fade)
