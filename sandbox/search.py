"""Semantic file search: words become vectors of their letters and of small groups of related words.

Matches description, name and prompt of a file, once analysis has written its description.
"""

from __future__ import annotations

import re
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from sandbox.records import Execution, File
from sandbox.store import Store

MIN_SIMILARITY = 0.15
"""Hits with a lower similarity are dropped."""
_LETTER_DIMENSIONS = 256
_STOP_WORDS_TEXT = """a an and are as at be by for from has in into is it its of on or that the this to with
der die das ein eine und mit von im in auf le la les un une et de des du el los y con"""
_WORD_GROUPS = (
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
_STOP_WORDS = frozenset(_STOP_WORDS_TEXT.split())
_GROUPS_OF_WORD: dict[str, list[int]] = {}
for _number, _line in enumerate(_WORD_GROUPS):
    for _word in _line.split():
        _GROUPS_OF_WORD.setdefault(_word, []).append(_number)

type Vector = NDArray[np.float32]


def words_of(text: str) -> list[str]:
    """The distinct words without stop words; all words when there are only stop words."""
    found = list(dict.fromkeys(re.findall(r"\w+", text.casefold())))
    return [word for word in found if word not in _STOP_WORDS] or found


@lru_cache(maxsize=50_000)
def vector_of(word: str) -> Vector:
    """A unit vector: half from letter bigrams and trigrams, half from the groups of related words."""
    vector = np.zeros(_LETTER_DIMENSIONS + len(_WORD_GROUPS), dtype=np.float32)
    padded = f"^{word}$"
    for length in (2, 3):
        for start in range(len(padded) - length + 1):
            vector[zlib.crc32(padded[start : start + length].encode()) % _LETTER_DIMENSIONS] += 1
    vector[:_LETTER_DIMENSIONS] /= np.linalg.norm(vector[:_LETTER_DIMENSIONS]) or 1
    groups = _GROUPS_OF_WORD.get(word) or _GROUPS_OF_WORD.get(word.removesuffix("s"), [])
    for number in groups:
        vector[_LETTER_DIMENSIONS + number] = 1.1 / len(groups)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def similarity(query: str, text: str) -> float:
    """How well the text matches the words of the query, 0 to 1. Longer words weigh more."""
    query_words, text_words = words_of(query), words_of(text)
    if not query_words or not text_words:
        return 0.0
    table = (
        np.stack([vector_of(word) for word in query_words])
        @ np.stack([vector_of(word) for word in text_words]).T
    )
    best = np.clip(table.max(axis=1), 0, 1)
    # Ignore letters in common by chance.
    best = np.where(best < 0.35, 0, best)
    weights = np.array([min(len(word), 8) for word in query_words], dtype=np.float32)
    # Subtract a little for additional words in the text, so that the closest text ranks first.
    spread = 0.06 * (1 - min(1.0, len(query_words) / len(text_words)))
    return round(float(np.clip((best * weights).sum() / weights.sum() - spread, 0, 1)), 4)


def search(store: Store, query: str, count: int, owner: str | None) -> list[tuple[float, File]]:
    """The best ``count`` hits as (similarity, file), best first; only the owner's files if one is given."""
    hits = []
    for file in store.page(File, 1_000_000, owner=owner):
        if file.description is None:
            continue
        score = similarity(query, _text(store, file))
        if score >= MIN_SIMILARITY:
            hits.append((score, file))
    hits.sort(key=lambda hit: -hit[0])
    return hits[:count]


def _text(store: Store, file: File) -> str:
    source = store.get(Execution, file.source_execution) if file.source_execution else None
    prompt = source.request.get("prompt") if source is not None else None
    return " ".join(part for part in (file.description, file.display_name, prompt) if part)
