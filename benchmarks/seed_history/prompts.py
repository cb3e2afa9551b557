"""Prompts from a vocabulary in which few words are common and most are rare, as in any language (Zipf)."""

from __future__ import annotations

import random
from itertools import accumulate, product

SUBJECTS = [
    "lighthouse",
    "harbour",
    "kite",
    "market",
    "bridge",
    "glacier",
    "violin",
    "tram",
    "orchard",
    "lantern",
    "heron",
    "ferry",
    "bakery",
    "telescope",
    "greenhouse",
    "bicycle",
    "canyon",
    "piano",
    "windmill",
    "rooftop",
    "library",
    "fox",
    "carousel",
    "vineyard",
    "waterfall",
    "typewriter",
    "sailboat",
    "observatory",
    "tea",
    "garden",
    "submarine",
    "station",
]
PLACES = [
    "at dusk",
    "in the rain",
    "on a black cliff",
    "under a pale sky",
    "by the sea",
    "in an empty street",
    "above the clouds",
    "in deep snow",
    "at the edge of a forest",
    "in a small kitchen",
    "on a quiet platform",
    "behind frosted glass",
    "in the desert",
    "after the storm",
]
LOOKS = [
    "long exposure",
    "warm light",
    "soft focus",
    "hand drawn",
    "paper cut-out",
    "35 mm film",
    "flat colours",
    "slow pan",
    "drone shot",
    "watercolour",
    "high contrast",
    "golden hour",
    "macro",
    "stop motion",
    "ink on paper",
    "muted palette",
]
FIRST = [
    "stone",
    "river",
    "moon",
    "salt",
    "iron",
    "amber",
    "cedar",
    "frost",
    "ember",
    "cloud",
    "willow",
    "raven",
    "marble",
    "copper",
    "thorn",
]
SECOND = [
    "gate",
    "field",
    "house",
    "well",
    "mill",
    "tower",
    "bell",
    "shore",
    "path",
    "keeper",
    "wheel",
    "crown",
    "hollow",
    "lamp",
    "reed",
]
# Rarer names come after the common subjects; the last ones are in a handful of prompts of a million.
NAMES = SUBJECTS + [f"{first}{second}" for first, second in product(FIRST, SECOND)]


def zipf(count: int, exponent: float = 1.05) -> list[float]:
    """Cumulative weights for random.choices: the n-th value is chosen with a frequency of 1/n^exponent."""
    return list(accumulate(1 / rank**exponent for rank in range(1, count + 1)))


def prompts(chance: random.Random, count: int) -> list[str]:
    subjects = chance.choices(NAMES, cum_weights=zipf(len(NAMES)), k=2 * count)
    places = chance.choices(PLACES, cum_weights=zipf(len(PLACES), 0.7), k=count)
    styles = chance.choices(LOOKS, cum_weights=zipf(len(LOOKS), 0.7), k=count)
    takes = chance.choices(range(1, 1000), k=count)
    return [
        f"{first.capitalize()} and {second} {place}, {style}, take {take}"
        for first, second, place, style, take in zip(
            subjects[::2], subjects[1::2], places, styles, takes, strict=True
        )
    ]
