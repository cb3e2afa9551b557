"""Short instrumental pieces. The words choose the style; the seed chooses everything else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sandbox.art.dsp import Wave, decay, mix_at, noise, reverb, silence, stereo, swell, tone
from sandbox.art.mood import words_of
from sandbox.art.sound import Samples

type Rng = np.random.Generator

_MAJOR, _MINOR = (0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10)
_PROGRESSIONS = ((0, 4, 5, 3), (0, 5, 3, 4), (5, 3, 0, 4), (0, 3, 0, 4), (0, 2, 3, 4))


@dataclass(frozen=True)
class Style:
    """``beats``: range of beats per minute. ``minor``: probability. ``drums``, ``pad``, ``pluck``: loudness.
    ``lead``: the overtones of the melody.
    """

    beats: tuple[int, int]
    minor: float
    drums: float
    pad: float
    pluck: float
    lead: tuple[float, ...]


STYLES: dict[str, Style] = {
    "calm": Style((62, 76), 0.3, 0.0, 1.0, 0.45, (1, 0.2)),
    "sad": Style((58, 70), 1.0, 0.0, 0.9, 0.5, (1, 0.35, 0.1)),
    "happy": Style((108, 124), 0.0, 0.7, 0.5, 0.9, (1, 0.5, 0.3)),
    "electronic": Style((118, 128), 0.7, 1.0, 0.6, 0.8, (1, 0.5, 0.33, 0.25, 0.2)),
    "epic": Style((86, 100), 0.8, 0.8, 1.0, 0.4, (1, 0.7, 0.5, 0.3)),
    "jazz": Style((92, 112), 0.4, 0.4, 0.5, 0.8, (1, 0.3, 0.1)),
    "lofi": Style((72, 84), 0.6, 0.6, 0.8, 0.6, (1, 0.25)),
    "folk": Style((92, 108), 0.2, 0.15, 0.4, 1.0, (1, 0.6, 0.4, 0.2)),
}
_WORDS: dict[str, str] = {
    "calm": "calm ambient relaxing meditation sleep soft peaceful gentle slow spa ruhig",
    "sad": "sad melancholic melancholy lonely tears rainy emotional traurig",
    "happy": "happy upbeat cheerful fun bright pop summer joy ukulele corporate positive",
    "electronic": "electronic edm techno house dance synth synthwave club trance neon fast energetic",
    "epic": "epic cinematic orchestral trailer heroic dramatic film battle adventure",
    "jazz": "jazz swing blues saxophone lounge cafe bossa",
    "lofi": "lofi chill hiphop beat beats study trap rap groove",
    "folk": "folk acoustic guitar country banjo campfire wooden waltz",
}


def style_of(text: str, seed: int) -> str:
    for word in words_of(text.replace("-", "")):
        for name, members in _WORDS.items():
            if word in members.split():
                return name
    return list(STYLES)[seed % len(STYLES)]


class _Piece:
    """The piece being composed. Time is in beats, pitch in steps of the scale."""

    def __init__(self, style: Style, rng: Rng, seconds: float) -> None:
        self.style, self.rng, self.seconds = style, rng, seconds
        self.beat = 60 / float(rng.uniform(*style.beats))
        self.scale = _MINOR if rng.random() < style.minor else _MAJOR
        self.root = 110 * 2 ** (int(rng.integers(0, 8)) / 12)
        self.chords = _PROGRESSIONS[int(rng.integers(len(_PROGRESSIONS)))]
        self.left, self.right = silence(seconds), silence(seconds)

    def pitch(self, step: int) -> float:
        octave, degree = divmod(step, 7)
        return self.root * 2 ** (octave + self.scale[degree] / 12)

    def add(self, wave: Wave, beat: float, loudness: float, pan: float = 0.5) -> None:
        mix_at(self.left, wave, beat * self.beat, loudness * (1 - pan) * 2)
        mix_at(self.right, wave, beat * self.beat, loudness * pan * 2)

    @property
    def bars(self) -> int:
        return int(self.seconds / (4 * self.beat)) + 1

    def play_pads(self) -> None:
        length = 4 * self.beat + 0.6
        envelope = swell(length, 0.7, 0.9)
        for bar in range(self.bars):
            chord = self.chords[bar % 4]
            for number, step in enumerate((0, 2, 4, 7)):
                pitch = self.pitch(chord + step)
                voice = tone(pitch * 1.002, length, (1, 0.4, 0.2)) + tone(pitch * 0.998, length, (1, 0.3))
                self.add(voice * envelope, bar * 4, 0.10 * self.style.pad, 0.3 + 0.13 * number)

    def play_bass(self) -> None:
        length = 1.9 * self.beat
        for bar in range(self.bars):
            note = tone(self.pitch(self.chords[bar % 4] - 7), length, (1, 0.5, 0.15)) * decay(
                length, 0.5, 0.01
            )
            for beat in (0, 2):
                self.add(note, bar * 4 + beat, 0.34)

    def play_plucks(self) -> None:
        pattern = self.rng.permutation([0, 2, 4, 7, 9, 7, 4, 2]).tolist()
        for bar in range(self.bars):
            for number, step in enumerate(pattern):
                note = tone(self.pitch(self.chords[bar % 4] + step + 7), 0.9, self.style.lead)
                self.add(
                    note * decay(0.9, 0.14),
                    bar * 4 + number / 2,
                    0.14 * self.style.pluck,
                    0.35 + 0.3 * (number % 2),
                )

    def play_melody(self) -> None:
        step = 14
        for bar in range(1, self.bars):
            for beat in (0, 1.5, 2, 3):
                if self.rng.random() < 0.45:
                    continue
                step = int(np.clip(step + self.rng.integers(-2, 3), 11, 19))
                length = 1.4 * self.beat
                note = tone(self.pitch(step), length, self.style.lead) * swell(length, 0.03, 0.4 * length)
                self.add(note, bar * 4 + beat, 0.13, 0.56)

    def play_drums(self) -> None:
        kick = tone(45 + 90 * np.exp(-np.arange(11_025, dtype=np.float32) / 1500), 0.25) * decay(0.25, 0.06)
        snare = noise(self.rng, 0.2, 700, 7000, 0.3) * decay(0.2, 0.04)
        hat = noise(self.rng, 0.06, 6000, 14_000) * decay(0.06, 0.012)
        for bar in range(self.bars):
            for beat in (0, 2) if self.style.drums < 0.9 else (0, 1, 2, 3):
                self.add(kick, bar * 4 + beat, 0.5 * self.style.drums)
            for beat in (1, 3):
                self.add(snare, bar * 4 + beat, 0.22 * self.style.drums)
            for number in range(8):
                self.add(hat, bar * 4 + number / 2, 0.09 * self.style.drums, 0.6)


def compose(text: str, seed: int, seconds: float) -> tuple[Samples, str]:
    """Compose a piece for a text; returns the samples and the name of the style."""
    name = style_of(text, seed)
    piece = _Piece(STYLES[name], np.random.default_rng(seed), seconds)
    piece.play_pads()
    piece.play_bass()
    piece.play_plucks()
    piece.play_melody()
    if piece.style.drums:
        piece.play_drums()
    left, right = (reverb(piece.rng, side, 1.6, 0.18) for side in (piece.left, piece.right))
    return stereo(left, right, fade=min(1.5, seconds / 5)), name
