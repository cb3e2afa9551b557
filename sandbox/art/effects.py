"""Sound effects by word: rain, waves, bells, engines and so on, each a small recipe."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sandbox.art.dsp import (
    Wave,
    decay,
    drift,
    moments,
    noise,
    place,
    room,
    silence,
    swell,
    tone,
    widened,
)
from sandbox.art.mood import words_of
from sandbox.art.sound import Samples

type Dice = np.random.Generator
type Recipe = Callable[[Dice, float], Wave]

BELL = (1.0, 0.6, 0.1, 0.45, 0.25, 0.3, 0.1, 0.2)


def rain(dice: Dice, seconds: float) -> Wave:
    wave = noise(dice, seconds, 900, 9000, 0.8) * drift(dice, seconds, 0.5, 0.25, 0.4)
    drop = noise(dice, 0.03, 1500, 9000) * decay(0.03, 0.004)
    for at in dice.uniform(0, seconds, int(seconds * 60)):
        place(wave, drop, float(at), float(dice.uniform(0.05, 0.5)))
    return wave


def waves(dice: Dice, seconds: float) -> Wave:
    swash = 0.5 - 0.5 * np.cos(moments(seconds) * 2 * np.pi / float(dice.uniform(4.5, 7)))
    deep = noise(dice, seconds, 60, 500, 1.2) * (0.3 + 0.7 * swash)
    foam = noise(dice, seconds, 1200, 8000, 0.7) * np.roll(swash, 22_050) ** 2
    return deep + 0.5 * foam


def wind(dice: Dice, seconds: float) -> Wave:
    gusts = drift(dice, seconds, 0.7, 0.1, 1.0)
    whistle = tone(420 + 380 * drift(dice, seconds, 0.6, 0, 1), seconds, (1, 0.2)) * gusts**3
    return noise(dice, seconds, 120, 900, 1.0) * gusts + 0.08 * whistle


def thunder(dice: Dice, seconds: float) -> Wave:
    wave = 0.15 * rain(dice, seconds)
    for at in np.arange(0.2, seconds, 5.0):
        length = min(4.0, seconds)
        roll = noise(dice, length, 30, 160, 1.6) * decay(length, 0.8, 0.05) * drift(dice, length, 7, 0.3, 1)
        crack = noise(dice, 0.5, 200, 5000, 0.5) * decay(0.5, 0.06)
        place(wave, roll, float(at), 1.6)
        place(wave, crack, float(at), 0.8)
    return wave


def fire(dice: Dice, seconds: float) -> Wave:
    wave = 0.35 * noise(dice, seconds, 60, 500, 1.2) * drift(dice, seconds, 3, 0.5, 1)
    for at in dice.uniform(0, seconds, int(seconds * 14)):
        spark = noise(dice, 0.02, 1500, 9000) * decay(0.02, 0.003, 0.0005)
        place(wave, spark, float(at), float(dice.uniform(0.1, 0.9)))
    return wave


def steps(dice: Dice, seconds: float) -> Wave:
    wave = silence(seconds)
    for number, at in enumerate(np.arange(0.1, seconds, 0.52)):
        heel = noise(dice, 0.09, 90, 700, 1.0) * decay(0.09, 0.018)
        sole = noise(dice, 0.12, 600, 4000, 0.5) * decay(0.12, 0.03)
        place(wave, heel, float(at), 1.0 if number % 2 else 0.85)
        place(wave, sole, float(at) + 0.07, 0.35)
    return room(dice, wave, 0.6, 0.25)


def bell(dice: Dice, seconds: float) -> Wave:
    wave = silence(seconds)
    pitch = float(dice.choice([392, 440, 523, 659]))
    for number, at in enumerate(np.arange(0.05, seconds, 1.9)):
        length = min(4.0, seconds)
        place(wave, tone(pitch * (1, 0.75, 1.25)[number % 3], length, BELL) * decay(length, 0.55), float(at))
    return room(dice, wave, 1.5, 0.3)


def chime(dice: Dice, seconds: float) -> Wave:
    """A notification: two or three clear notes."""
    wave = silence(seconds)
    scale = [(784, 1047), (659, 988, 1319), (880, 1175)][int(dice.integers(3))]
    for number, pitch in enumerate(scale):
        place(wave, tone(pitch, 1.2, (1, 0.3, 0.1)) * decay(1.2, 0.16), 0.05 + 0.13 * number)
    return room(dice, wave, 0.8, 0.2)


def engine(dice: Dice, seconds: float) -> Wave:
    turns = 34 + 60 * drift(dice, seconds, 0.4, 0, 1)
    motor = tone(turns, seconds, (1, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.2))
    return np.tanh(2.5 * motor) * 0.7 + 0.2 * noise(dice, seconds, 80, 2500, 1.0)


def laser(dice: Dice, seconds: float) -> Wave:
    wave = silence(seconds)
    for at in np.arange(0.05, seconds, 0.6):
        time = moments(0.4)
        fall = 180 + float(dice.uniform(1200, 2600)) * np.exp(-time * 11)
        place(wave, tone(fall, 0.4, (1, 0.5, 0.33)) * decay(0.4, 0.08), float(at))
    return room(dice, wave, 0.7, 0.2)


def whoosh(dice: Dice, seconds: float) -> Wave:
    wave = silence(seconds)
    for at in np.arange(0, seconds, 1.6):
        length = min(1.2, seconds)
        bump = np.sin(np.pi * moments(length) / length) ** 2
        place(wave, noise(dice, length, 300, 3500, 0.8) * bump, float(at))
    return wave


def boom(dice: Dice, seconds: float) -> Wave:
    wave = silence(seconds)
    for at in np.arange(0.05, seconds, 4.0):
        length = min(3.5, seconds)
        fall = 40 + 60 * np.exp(-moments(length) * 6)
        place(wave, tone(fall, length, (1, 0.4)) * decay(length, 0.35), float(at), 1.2)
        place(wave, noise(dice, length, 40, 2500, 1.1) * decay(length, 0.3), float(at), 1.0)
    return room(dice, np.tanh(1.5 * wave).astype(np.float32), 1.8, 0.3)


def birds(dice: Dice, seconds: float) -> Wave:
    wave = 0.04 * wind(dice, seconds)
    for start in dice.uniform(0, seconds, max(2, int(seconds * 1.3))):
        base = float(dice.uniform(2200, 4600))
        for note in range(int(dice.integers(2, 6))):
            time = moments(0.11)
            bend = base * (1 + 0.25 * np.sin(time * float(dice.uniform(30, 90))))
            place(wave, tone(bend, 0.11) * swell(0.11, 0.02, 0.05), float(start) + 0.14 * note, 0.5)
    return room(dice, wave, 1.0, 0.2)


def crickets(dice: Dice, seconds: float) -> Wave:
    time = moments(seconds)
    chirp = (np.sin(2 * np.pi * 28 * time) > 0.2) * (np.sin(2 * np.pi * 1.4 * time) > -0.2)
    return 0.3 * tone(4300, seconds) * chirp + 0.1 * noise(dice, seconds, 200, 1200, 1.0)


def heart(dice: Dice, seconds: float) -> Wave:
    wave = silence(seconds)
    beat = tone(52, 0.25, (1, 0.4)) * decay(0.25, 0.05, 0.008)
    for at in np.arange(0.1, seconds, 0.92):
        place(wave, beat, float(at))
        place(wave, beat, float(at) + 0.27, 0.7)
    return wave


def knock(dice: Dice, seconds: float) -> Wave:
    wave = silence(seconds)
    for at in np.arange(0.1, seconds, 2.2):
        for number in range(3):
            thud = tone(160, 0.15, (1, 0.5, 0.3)) * decay(0.15, 0.02)
            place(
                wave, thud + 0.6 * noise(dice, 0.15, 200, 3000) * decay(0.15, 0.01), float(at) + 0.22 * number
            )
    return room(dice, wave, 0.5, 0.2)


def crowd(dice: Dice, seconds: float) -> Wave:
    wave = 0.25 * noise(dice, seconds, 250, 2500, 0.8) * drift(dice, seconds, 1.5, 0.5, 1)
    clap = noise(dice, 0.05, 900, 5000, 0.3) * decay(0.05, 0.008, 0.001)
    for at in dice.uniform(0, seconds, int(seconds * 90)):
        place(wave, clap, float(at), float(dice.uniform(0.05, 0.35)))
    return room(dice, wave, 1.2, 0.3)


def water(dice: Dice, seconds: float) -> Wave:
    wave = 0.12 * noise(dice, seconds, 400, 3000, 0.8)
    for at in dice.uniform(0, seconds, int(seconds * 22)):
        rise = float(dice.uniform(400, 1400)) * (1 + 4 * moments(0.09))
        place(wave, tone(rise, 0.09) * decay(0.09, 0.02), float(at), float(dice.uniform(0.1, 0.5)))
    return wave


def city(dice: Dice, seconds: float) -> Wave:
    wave = noise(dice, seconds, 50, 400, 1.3) * drift(dice, seconds, 0.4, 0.4, 1)
    for at in dice.uniform(0, seconds, max(1, int(seconds / 4))):
        horn = tone(float(dice.choice([330, 392, 415])), 0.5, (1, 0.7, 0.5)) * swell(0.5, 0.03, 0.1)
        place(wave, horn, float(at), 0.12)
    return wave


def hum(dice: Dice, seconds: float) -> Wave:
    base = float(dice.choice([55, 65.4, 73.4]))
    pad = tone(base, seconds, (1, 0.5, 0.3, 0.2)) + 0.6 * tone(base * 1.503, seconds, (1, 0.3))
    return pad * drift(dice, seconds, 0.5, 0.4, 1) + 0.2 * noise(dice, seconds, 200, 2000, 1.0)


RECIPES: dict[str, tuple[Recipe, str]] = {
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


def recipe_names(text: str) -> list[str]:
    """The recipes that words of the text ask for, in the order of the text."""
    found = []
    for word in words_of(text):
        for name, (_, members) in RECIPES.items():
            if name not in found and word in members.split():
                found.append(name)
    return found


def effect(text: str, seed: int, seconds: float, influence: float) -> tuple[Samples, list[str]]:
    """Stereo sound for a text, and what it is made of. Below half ``influence`` something unasked is mixed in."""
    dice = np.random.default_rng(seed)
    names = recipe_names(text)[:3]
    if not names:
        names = [list(RECIPES)[int(dice.integers(len(RECIPES)))]]
    if influence < 0.5:
        names = [*names, "hum"]
    wave = silence(seconds)
    for number, name in enumerate(names):
        part = RECIPES[name][0](dice, seconds)
        peak = max(float(np.abs(part).max()), 1e-9)
        wave += part[: len(wave)] / peak * (1.0 if number == 0 else 0.55)
    return widened(dice, wave, fade=min(0.25, seconds / 8)), names
