"""Derives scene, light and weather of a picture from the words of the prompt."""

from __future__ import annotations

import dataclasses
import random
import re
import unicodedata
from dataclasses import dataclass

type Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Palette:
    """Colours: sky from top to horizon, light, farthest and nearest layer of the land."""

    top: Colour
    middle: Colour
    horizon: Colour
    light: Colour
    far: Colour
    near: Colour
    light_height: tuple[float, float] = (0.2, 0.45)
    stars: float = 0.0


PALETTES: dict[str, Palette] = {
    "day": Palette((58, 118, 190), (130, 184, 224), (226, 238, 240), (255, 250, 226), (150, 184, 206), (26, 62, 78), (0.12, 0.3)),
    "sunset": Palette((46, 32, 92), (190, 78, 104), (255, 164, 92), (255, 226, 160), (160, 84, 112), (32, 16, 42), (0.42, 0.6)),
    "dawn": Palette((86, 104, 168), (214, 164, 178), (255, 214, 184), (255, 240, 214), (164, 146, 180), (40, 44, 82), (0.36, 0.54)),
    "night": Palette((5, 8, 24), (16, 28, 62), (46, 68, 112), (232, 238, 255), (32, 48, 86), (4, 7, 18), (0.14, 0.3), 1.0),
    "storm": Palette((34, 42, 54), (82, 96, 110), (164, 172, 172), (226, 232, 226), (96, 110, 122), (16, 22, 30), (0.16, 0.3)),
    "winter": Palette((112, 150, 190), (186, 208, 226), (240, 244, 248), (255, 255, 250), (190, 208, 224), (72, 96, 124), (0.2, 0.4)),
    "autumn": Palette((96, 120, 150), (220, 180, 140), (250, 214, 150), (255, 240, 200), (186, 120, 84), (58, 24, 18), (0.28, 0.46)),
    "spring": Palette((96, 164, 190), (176, 216, 204), (246, 240, 208), (255, 250, 220), (140, 190, 150), (24, 78, 56), (0.16, 0.34)),
    "desert": Palette((74, 128, 172), (214, 196, 168), (252, 224, 172), (255, 244, 206), (226, 172, 116), (112, 54, 30), (0.16, 0.38)),
    "neon": Palette((14, 6, 40), (86, 18, 116), (255, 76, 150), (120, 240, 255), (92, 30, 140), (10, 4, 28), (0.3, 0.5), 0.4),
    "space": Palette((3, 3, 12), (20, 14, 48), (58, 30, 92), (255, 236, 214), (40, 24, 74), (5, 4, 14), (0.2, 0.5), 1.6),
    "deep": Palette((4, 34, 58), (8, 84, 112), (90, 190, 190), (214, 255, 240), (20, 92, 112), (2, 18, 34), (0.0, 0.12)),
}  # fmt: skip

_LIGHT_WORDS: dict[str, str] = {
    "day": "day noon sunny blue clear summer bright mittag tag soleil",
    "sunset": "sunset dusk evening golden orange abend sonnenuntergang coucher atardecer warm fire lava volcano red rose",
    "dawn": "dawn sunrise morning pastel pink morgen aube amanecer calm quiet soft",
    "night": "night moon moonlight midnight dark stars nacht nuit noche lantern candle",
    "storm": "storm rain thunder grey gray cloudy fog foggy mist misty sturm regen moody dramatic noir",
    "winter": "winter snow snowy ice icy frozen glacier arctic schnee neige nieve polar white cold",
    "autumn": "autumn fall october leaves herbst automne otono rust copper harvest coffee brown gold wood",
    "spring": "spring meadow flowers garden green fresh fruhling printemps blossom field tea",
    "desert": "desert dune dunes sand canyon sahara savanna wuste yellow",
    "neon": "neon cyber cyberpunk synthwave retro arcade electric vaporwave disco purple violet magenta",
    "space": "space galaxy nebula planet cosmos astronaut orbit mars weltraum rocket universe",
    "deep": "underwater reef coral diving whale submarine aquarium",
}
_SCENE_WORDS: dict[str, str] = {
    "sea": "sea ocean beach coast wave waves lake harbour harbor island boat ship lighthouse bay water meer mer mar surf fjord sailing",
    "forest": "forest tree trees woods jungle pine wald foret bosque fir cabin park bear deer",
    "city": "city skyline street town tower building buildings urban tokyo york london berlin paris stadt ville ciudad office metro bridge",
    "desert": "desert dune dunes sand sahara wuste camel pyramid",
    "space": "space galaxy nebula planet cosmos astronaut orbit mars weltraum universe rocket",
    "mountains": "mountain mountains hill hills alps peak valley landscape berg berge montagne volcano canyon cliff summit",
    "ribbons": "abstract music logo pattern texture flow gradient silk dream energy idea shapes wave-form minimal poster background",
    "deep": "underwater reef coral diving whale submarine aquarium",
}  # fmt: skip
_SNOW_WORDS = frozenset(
    ["snow", "snowy", "snowfall", "winter", "blizzard", "schnee", "neige", "nieve", "christmas"]
)
_FALLBACK_SCENES = ("mountains", "mountains", "sea", "forest", "desert", "ribbons", "ribbons")
_FALLBACK_LIGHTS = ("day", "sunset", "dawn", "night", "autumn", "spring", "neon", "storm")


@dataclass(frozen=True)
class Mood:
    scene: str
    light: str
    palette: Palette
    snow: bool


def words_of(text: str) -> list[str]:
    """The words in lower case, without accents."""
    plain = unicodedata.normalize("NFKD", text.lower())
    return re.findall(r"[a-z]+", "".join(char for char in plain if not unicodedata.combining(char)))


def mood_of(text: str, seed: int) -> Mood:
    """Choose by the words of the text; where none matches, choose by the seed."""
    words = words_of(text)
    rng = random.Random(seed)
    scene = _match(words, _SCENE_WORDS) or rng.choice(_FALLBACK_SCENES)
    light = _match(words, _LIGHT_WORDS)
    if light is None:
        light = {"space": "space", "desert": "desert", "deep": "deep", "city": "night"}.get(scene)
    if scene == "deep":
        light = "deep"
    light = light or rng.choice(_FALLBACK_LIGHTS)
    return Mood(scene, light, _vary(PALETTES[light], rng), bool(_SNOW_WORDS & set(words)))


def _match(words: list[str], table: dict[str, str]) -> str | None:
    """The name of the first entry that contains a word, in the order of the words."""
    for word in words:
        for name, members in table.items():
            if word in members.split():
                return name
    return None


def _vary(palette: Palette, rng: random.Random) -> Palette:
    """Add a slight random colour cast, so that pictures of the same mood differ."""
    cast = [rng.uniform(-14, 14) for _ in range(3)]

    def shifted(colour: Colour) -> Colour:
        red, green, blue = (
            max(0, min(255, round(value + shift))) for value, shift in zip(colour, cast, strict=True)
        )
        return red, green, blue

    return dataclasses.replace(
        palette,
        top=shifted(palette.top),
        middle=shifted(palette.middle),
        horizon=shifted(palette.horizon),
        light=shifted(palette.light),
        far=shifted(palette.far),
        near=shifted(palette.near),
    )
