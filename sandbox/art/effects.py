"""Sound effects chosen by words: rain, waves, bells, engines and others, one function each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.art.dsp import (
    Wave,
    decay,
    drift,
    mix_at,
    noise,
    reverb,
    silence,
    swell,
    time_axis,
    to_stereo,
    tone,
)
from sandbox.art.mood import words_of
from sandbox.art.sound import Samples

type Rng = np.random.Generator
type Effect = Callable[[Rng, float], Wave]

BELL = (1.0, 0.6, 0.1, 0.45, 0.25, 0.3, 0.1, 0.2)


def rain(rng: Rng, seconds: float) -> Wave:
    wave = noise(rng, seconds, 900, 9000, 0.8) * drift(rng, seconds, 0.5, 0.25, 0.4)
    drop = noise(rng, 0.03, 1500, 9000) * decay(0.03, 0.004)
    for at in rng.uniform(0, seconds, int(seconds * 60)):
        mix_at(wave, drop, float(at), float(rng.uniform(0.05, 0.5)))
    return wave


def waves(rng: Rng, seconds: float) -> Wave:
    swash = 0.5 - 0.5 * np.cos(time_axis(seconds) * 2 * np.pi / float(rng.uniform(4.5, 7)))
    deep = noise(rng, seconds, 60, 500, 1.2) * (0.3 + 0.7 * swash)
    foam = noise(rng, seconds, 1200, 8000, 0.7) * np.roll(swash, 22_050) ** 2
    return deep + 0.5 * foam


def wind(rng: Rng, seconds: float) -> Wave:
    gusts = drift(rng, seconds, 0.7, 0.1, 1.0)
    whistle = tone(420 + 380 * drift(rng, seconds, 0.6, 0, 1), seconds, (1, 0.2)) * gusts**3
    return noise(rng, seconds, 120, 900, 1.0) * gusts + 0.08 * whistle


def thunder(rng: Rng, seconds: float) -> Wave:
    wave = 0.15 * rain(rng, seconds)
    for at in np.arange(0.2, seconds, 5.0):
        length = min(4.0, seconds)
        roll = noise(rng, length, 30, 160, 1.6) * decay(length, 0.8, 0.05) * drift(rng, length, 7, 0.3, 1)
        crack = noise(rng, 0.5, 200, 5000, 0.5) * decay(0.5, 0.06)
        mix_at(wave, roll, float(at), 1.6)
        mix_at(wave, crack, float(at), 0.8)
    return wave


def fire(rng: Rng, seconds: float) -> Wave:
    wave = 0.35 * noise(rng, seconds, 60, 500, 1.2) * drift(rng, seconds, 3, 0.5, 1)
    for at in rng.uniform(0, seconds, int(seconds * 14)):
        spark = noise(rng, 0.02, 1500, 9000) * decay(0.02, 0.003, 0.0005)
        mix_at(wave, spark, float(at), float(rng.uniform(0.1, 0.9)))
    return wave


def steps(rng: Rng, seconds: float) -> Wave:
    wave = silence(seconds)
    for number, at in enumerate(np.arange(0.1, seconds, 0.52)):
        heel = noise(rng, 0.09, 90, 700, 1.0) * decay(0.09, 0.018)
        sole = noise(rng, 0.12, 600, 4000, 0.5) * decay(0.12, 0.03)
        mix_at(wave, heel, float(at), 1.0 if number % 2 else 0.85)
        mix_at(wave, sole, float(at) + 0.07, 0.35)
    return reverb(rng, wave, 0.6, 0.25)


def bell(rng: Rng, seconds: float) -> Wave:
    wave = silence(seconds)
    pitch = float(rng.choice([392, 440, 523, 659]))
    for number, at in enumerate(np.arange(0.05, seconds, 1.9)):
        length = min(4.0, seconds)
        mix_at(wave, tone(pitch * (1, 0.75, 1.25)[number % 3], length, BELL) * decay(length, 0.55), float(at))
    return reverb(rng, wave, 1.5, 0.3)


def chime(rng: Rng, seconds: float) -> Wave:
    """A notification: two or three clear notes."""
    wave = silence(seconds)
    scale = [(784, 1047), (659, 988, 1319), (880, 1175)][int(rng.integers(3))]
    for number, pitch in enumerate(scale):
        mix_at(wave, tone(pitch, 1.2, (1, 0.3, 0.1)) * decay(1.2, 0.16), 0.05 + 0.13 * number)
    return reverb(rng, wave, 0.8, 0.2)


def engine(rng: Rng, seconds: float) -> Wave:
    turns = 34 + 60 * drift(rng, seconds, 0.4, 0, 1)
    motor = tone(turns, seconds, (1, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2))
    return np.tanh(2.5 * motor) * 0.7 + 0.2 * noise(rng, seconds, 80, 2500, 1.0)


def laser(rng: Rng, seconds: float) -> Wave:
    wave = silence(seconds)
    for at in np.arange(0.05, seconds, 0.6):
        time = time_axis(0.4)
        fall = 180 + float(rng.uniform(1200, 2600)) * np.exp(-time * 11)
        mix_at(wave, tone(fall, 0.4, (1, 0.5, 0.33)) * decay(0.4, 0.08), float(at))
    return reverb(rng, wave, 0.7, 0.2)


def whoosh(rng: Rng, seconds: float) -> Wave:
    wave = silence(seconds)
    for at in np.arange(0, seconds, 1.6):
        length = min(1.2, seconds)
        bump = np.sin(np.pi * time_axis(length) / length) ** 2
        mix_at(wave, noise(rng, length, 300, 3500, 0.8) * bump, float(at))
    return wave


def boom(rng: Rng, seconds: float) -> Wave:
    wave = silence(seconds)
    for at in np.arange(0.05, seconds, 4.0):
        length = min(3.5, seconds)
        fall = 40 + 60 * np.exp(-time_axis(length) * 6)
        mix_at(wave, tone(fall, length, (1, 0.4)) * decay(length, 0.35), float(at), 1.2)
        mix_at(wave, noise(rng, length, 40, 2500, 1.1) * decay(length, 0.3), float(at), 1.0)
    return reverb(rng, np.tanh(1.5 * wave).astype(np.float32), 1.8, 0.3)


def birds(rng: Rng, seconds: float) -> Wave:
    wave = 0.04 * wind(rng, seconds)
    for start in rng.uniform(0, seconds, max(2, int(seconds * 1.3))):
        base = float(rng.uniform(2200, 4600))
        for note in range(int(rng.integers(2, 6))):
            time = time_axis(0.11)
            bend = base * (1 + 0.25 * np.sin(time * float(rng.uniform(30, 90))))
            mix_at(wave, tone(bend, 0.11) * swell(0.11, 0.02, 0.05), float(start) + 0.14 * note, 0.5)
    return reverb(rng, wave, 1.0, 0.2)


def crickets(rng: Rng, seconds: float) -> Wave:
    time = time_axis(seconds)
    chirp = (np.sin(2 * np.pi * 28 * time) > 0.2) * (np.sin(2 * np.pi * 1.4 * time) > -0.2)
    return 0.3 * tone(4300, seconds) * chirp + 0.1 * noise(rng, seconds, 200, 1200, 1.0)


def heart(rng: Rng, seconds: float) -> Wave:
    wave = silence(seconds)
    beat = tone(52, 0.25, (1, 0.4)) * decay(0.25, 0.05, 0.008)
    for at in np.arange(0.1, seconds, 0.92):
        mix_at(wave, beat, float(at))
        mix_at(wave, beat, float(at) + 0.27, 0.7)
    return wave


def knock(rng: Rng, seconds: float) -> Wave:
    wave = silence(seconds)
    for at in np.arange(0.1, seconds, 2.2):
        for number in range(3):
            thud = tone(160, 0.15, (1, 0.5, 0.3)) * decay(0.15, 0.02)
            mix_at(
                wave, thud + 0.6 * noise(rng, 0.15, 200, 3000) * decay(0.15, 0.01), float(at) + 0.22 * number
            )
    return reverb(rng, wave, 0.5, 0.2)


def crowd(rng: Rng, seconds: float) -> Wave:
    wave = 0.25 * noise(rng, seconds, 250, 2500, 0.8) * drift(rng, seconds, 1.5, 0.5, 1)
    clap = noise(rng, 0.05, 900, 5000, 0.3) * decay(0.05, 0.008, 0.001)
    for at in rng.uniform(0, seconds, int(seconds * 90)):
        mix_at(wave, clap, float(at), float(rng.uniform(0.05, 0.35)))
    return reverb(rng, wave, 1.2, 0.3)


def water(rng: Rng, seconds: float) -> Wave:
    wave = 0.12 * noise(rng, seconds, 400, 3000, 0.8)
    for at in rng.uniform(0, seconds, int(seconds * 22)):
        rise = float(rng.uniform(400, 1400)) * (1 + 4 * time_axis(0.09))
        mix_at(wave, tone(rise, 0.09) * decay(0.09, 0.02), float(at), float(rng.uniform(0.1, 0.5)))
    return wave


def city(rng: Rng, seconds: float) -> Wave:
    wave = noise(rng, seconds, 50, 400, 1.3) * drift(rng, seconds, 0.4, 0.4, 1)
    for at in rng.uniform(0, seconds, max(1, int(seconds / 4))):
        horn = tone(float(rng.choice([330, 392, 415])), 0.5, (1, 0.7, 0.5)) * swell(0.5, 0.03, 0.1)
        mix_at(wave, horn, float(at), 0.12)
    return wave


def hum(rng: Rng, seconds: float) -> Wave:
    base = float(rng.choice([55, 65.4, 73.4]))
    pad = tone(base, seconds, (1, 0.5, 0.3, 0.2)) + 0.6 * tone(base * 1.503, seconds, (1, 0.3))
    return pad * drift(rng, seconds, 0.5, 0.4, 1) + 0.2 * noise(rng, seconds, 200, 2000, 1.0)


EFFECTS: dict[str, tuple[Effect, str]] = {
    "rain": (rain, "rain rainy drizzle shower regen pluie lluvia"),
    "thunder": (thunder, "thunder storm lightning thunderstorm donner orage"),
    "waves": (waves, "sea ocean wave waves beach surf meer mer mar shore lake"),
    "wind": (wind, "wind windy breeze gust blizzard snow winter desert mountain mountains"),
    "fire": (fire, "fire campfire flame crackle crackling fireplace feuer"),
    "steps": (steps, "step steps footsteps walking footstep running boots gravel"),
    "bell": (bell, "bell bells church gong glocke cloche"),
    "chime": (chime, "notification chime ding alert ping beep success click button coin ui"),
    "engine": (engine, "engine car motor truck motorcycle machine tractor plane drill"),
    "laser": (laser, "laser zap blaster scifi robot space spaceship alien arcade"),
    "whoosh": (whoosh, "whoosh swoosh transition swipe swish sword arrow"),
    "boom": (boom, "explosion boom blast impact crash bomb cannon hit"),
    "birds": (birds, "bird birds forest morning chirp chirping garden spring park wald vogel"),
    "crickets": (crickets, "cricket crickets night insects summer cicada nacht"),
    "heart": (heart, "heart heartbeat pulse herz"),
    "knock": (knock, "knock knocking door wood tap"),
    "crowd": (crowd, "crowd applause clap clapping cheer audience stadium people"),
    "water": (water, "water drip drop drops river stream creek bubble pour underwater fountain"),
    "city": (city, "city street traffic town cafe office airport station urban"),
    "hum": (hum, "hum drone ambient ambience mystery dark tension suspense"),
}


def effect_names(text: str) -> list[str]:
    """The effects that match words of the text, in the order of the text."""
    names = []
    for word in words_of(text):
        for name, (_, members) in EFFECTS.items():
            if name not in names and word in members.split():
                names.append(name)
    return names


def effect(text: str, seed: int, seconds: float, influence: float) -> tuple[Samples, list[str]]:
    """Stereo sound for a text, and the names of its effects. With ``influence`` below 0.5, adds an unrelated hum."""
    rng = np.random.default_rng(seed)
    names = effect_names(text)[:3]
    if not names:
        names = [list(EFFECTS)[int(rng.integers(len(EFFECTS)))]]
    if influence < 0.5:
        names = [*names, "hum"]
    wave = silence(seconds)
    for number, name in enumerate(names):
        part = EFFECTS[name][0](rng, seconds)
        peak = max(float(np.abs(part).max()), 1e-9)
        wave += part[: len(wave)] / peak * (1.0 if number == 0 else 0.55)
    return to_stereo(rng, wave, fade=min(0.25, seconds / 8)), names
