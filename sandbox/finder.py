"""Search by meaning: words are compared by their letters and by small groups of related words, all as vectors.

A file is found by its description, its name and the prompt it was made from, once analysis has described it.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sandbox.records import Execution, File
from sandbox.store import Store

LEAST = 0.15
"""Hits below this similarity are left out."""
_LETTER_PLACES = 256
_COMMON = """a an and are as at be by for from has in into is it its of on or that the this to with
der die das ein eine und mit von im in auf le la les un une et de des du el los y con"""
_RELATED = (
    "sea ocean water wave waves beach coast shore harbour harbor lake river bay island underwater",
    "mountain mountains hill hills ridge peak alps summit valley cliff",
    "forest tree trees wood woods jungle park garden leaf leaves",
    "city town skyline street building buildings house houses urban tower",
    "night dark midnight evening moon stars starlight",
    "day daylight sunny sun bright noon morning dawn sunrise",
    "sunset dusk twilight evening golden",
    "winter snow ice cold frost frozen",
    "person people man woman child human face presenter portrait speaker",
    "speech voice speaks says spoken words talk talking narration recording",
    "music song melody tune instrumental piece piano guitar band",
    "sound noise effect audio recording",
    "film video clip movie animation motion footage",
    "picture image photo photograph drawing painting illustration graphic",
    "car engine motor vehicle truck road train",
    "rain storm thunder wind weather cloud clouds",
    "space planet galaxy universe cosmos stars rocket",
    "desert sand dune dunes hot dry",
    "animal dog cat bird horse fish",
    "red crimson scarlet", "blue azure navy", "green emerald", "dark black", "light bright white",
)  # fmt: skip
_COMMON_WORDS = frozenset(_COMMON.split())
_GROUPS: dict[str, list[int]] = {}
for _number, _line in enumerate(_RELATED):
    for _word in _line.split():
        _GROUPS.setdefault(_word, []).append(_number)

type Vector = NDArray[np.float32]


def words_of(text: str) -> list[str]:
    """The telling words, each once; all of them when there are only common ones."""
    found = list(dict.fromkeys(re.findall(r"\w+", text.casefold())))
    return [word for word in found if word not in _COMMON_WORDS] or found


@lru_cache(maxsize=50_000)
def vector_of(word: str) -> Vector:
    """Half of it from the letters (groups of two and three), half from the groups of meaning."""
    vector = np.zeros(_LETTER_PLACES + len(_RELATED), dtype=np.float32)
    padded = f"^{word}$"
    for length in (2, 3):
        for start in range(len(padded) - length + 1):
            vector[zlib.crc32(padded[start : start + length].encode()) % _LETTER_PLACES] += 1
    vector[:_LETTER_PLACES] /= np.linalg.norm(vector[:_LETTER_PLACES]) or 1
    groups = _GROUPS.get(word) or _GROUPS.get(word.removesuffix("s"), [])
    for number in groups:
        vector[_LETTER_PLACES + number] = 1.1 / len(groups)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def similarity(query: str, text: str) -> float:
    """0 to 1: how well the words of the query are met by words of the text; longer words weigh more."""
    wanted, given = words_of(query), words_of(text)
    if not wanted or not given:
        return 0.0
    table = np.stack([vector_of(word) for word in wanted]) @ np.stack([vector_of(word) for word in given]).T
    best = np.clip(table.max(axis=1), 0, 1)
    # Letters in common by chance are no likeness.
    best = np.where(best < 0.35, 0, best)
    weights = np.array([min(len(word), 8) for word in wanted], dtype=np.float32)
    # A little is taken off for whatever else the text speaks of, so that the closest text comes first.
    spread = 0.06 * (1 - min(1.0, len(wanted) / len(given)))
    return round(float(np.clip((best * weights).sum() / weights.sum() - spread, 0, 1)), 4)


def search(store: Store, query: str, count: int, owner: str | None) -> list[tuple[float, File]]:
    """The best hits and their similarity, best first; only the owner's files if one is given."""
    hits = []
    for file in store.page(File, 1_000_000, owner=owner):
        if file.description is None:
            continue
        score = similarity(query, _text(store, file))
        if score >= LEAST:
            hits.append((score, file))
    hits.sort(key=lambda hit: -hit[0])
    return hits[:count]


def _text(store: Store, file: File) -> str:
    made_from = store.get(Execution, file.source_execution) if file.source_execution else None
    prompt = made_from.request.get("prompt") if made_from is not None else None
    return " ".join(part for part in (file.description, file.display_name, prompt) if part)
