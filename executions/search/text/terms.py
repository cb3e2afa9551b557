"""What people type into a search field, as terms.

    pier fog        rows with both, as words or as parts of words
    "red door"      these whole words, one after the other
    -fog            rows without it
    uk              one or two letters: words that begin so

Case never matters. Punctuation alone is no term.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

LONGEST = 200
MOST = 8
# What an index of three letters can find.
SHORTEST_PART = 3

_TYPED = re.compile(r'(-?)"([^"]*)"?|(\S+)')
_WORD = re.compile(r"[^\W_]+")
_GAP = r"[\W_]+"


class Kind(Enum):
    PART = "part"
    START = "start"
    WORDS = "words"


@dataclass(frozen=True)
class Term:
    """`text` is a part of a word, the start of one, or whole words with one space between them."""

    text: str
    kind: Kind
    is_excluded: bool = False

    @property
    def pattern(self) -> str:
        """A regular expression, as Python and PostgreSQL both understand it, for a text in which it is found."""
        body = _GAP.join(re.escape(word) for word in self.text.split(" "))
        match self.kind:
            case Kind.PART:
                return re.escape(self.text)
            case Kind.START:
                return rf"(^|[\W_]){body}"
            case Kind.WORDS:
                return rf"(^|[\W_]){body}($|[\W_])"


def parse(typed: str) -> tuple[Term, ...]:
    """The terms, each once. What is beyond LONGEST characters or MOST terms is left out."""
    found: dict[Term, None] = {}
    for minus, quoted, plain in _TYPED.findall(typed.replace("\x00", " ")[:LONGEST]):
        term = _quoted(quoted, bool(minus)) if not plain else _plain(plain)
        if term is not None:
            found[term] = None
    return tuple(found)[:MOST]


def _quoted(text: str, is_excluded: bool) -> Term | None:
    words = _WORD.findall(text)
    return Term(" ".join(words).lower(), Kind.WORDS, is_excluded) if words else None


def _plain(text: str) -> Term | None:
    is_excluded = len(text) > 1 and text.startswith("-")
    text = (text[1:] if is_excluded else text).lower()
    words = _WORD.findall(text)
    if not words:
        return None
    if len(text) >= SHORTEST_PART:
        return Term(text, Kind.PART, is_excluded)
    return Term(words[0], Kind.START, is_excluded)
