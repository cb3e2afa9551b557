"""Parses the text of a search field into terms.

    pier fog        rows with both, as words or parts of words
    "red door"      these whole words in this order
    -fog            rows without it
    uk              one or two letters: words that begin with them

Case is ignored. Punctuation alone is not a term.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

MAX_LENGTH = 200
MAX_TERMS = 8
# The shortest part that a trigram index can find.
MIN_PART_LENGTH = 3

_TYPED = re.compile(r'(-?)"([^"]*)"?|(\S+)')
_WORD = re.compile(r"[^\W_]+")
_GAP = r"[\W_]+"


class TermKind(Enum):
    PART = "part"
    START = "start"
    WORDS = "words"


@dataclass(frozen=True)
class Term:
    """`text` is a part of a word, the start of a word, or whole words separated by single spaces."""

    text: str
    kind: TermKind
    is_excluded: bool = False

    @property
    def pattern(self) -> str:
        """A regular expression that matches texts with the term, valid in both Python and PostgreSQL."""
        body = _GAP.join(re.escape(word) for word in self.text.split(" "))
        match self.kind:
            case TermKind.PART:
                return re.escape(self.text)
            case TermKind.START:
                return rf"(^|[\W_]){body}"
            case TermKind.WORDS:
                return rf"(^|[\W_]){body}($|[\W_])"


def parse(typed: str) -> tuple[Term, ...]:
    """The distinct terms. Ignores everything beyond MAX_LENGTH characters or MAX_TERMS terms."""
    found: dict[Term, None] = {}
    for minus, quoted, plain in _TYPED.findall(typed.replace("\x00", " ")[:MAX_LENGTH]):
        term = _quoted(quoted, bool(minus)) if not plain else _plain(plain)
        if term is not None:
            found[term] = None
    return tuple(found)[:MAX_TERMS]


def _quoted(text: str, is_excluded: bool) -> Term | None:
    words = _WORD.findall(text)
    return Term(" ".join(words).lower(), TermKind.WORDS, is_excluded) if words else None


def _plain(text: str) -> Term | None:
    is_excluded = len(text) > 1 and text.startswith("-")
    text = (text[1:] if is_excluded else text).lower()
    words = _WORD.findall(text)
    if not words:
        return None
    if len(text) >= MIN_PART_LENGTH:
        return Term(text, TermKind.PART, is_excluded)
    return Term(words[0], TermKind.START, is_excluded)
