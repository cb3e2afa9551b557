"""Marks the terms of a search in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from executions.search.text.terms import Term, TermKind

# Characters of context before the first match of an excerpt.
LEAD = 40


def highlight(text: str, terms: Iterable[Term], *, length: int | None = None) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is a match. Excluded terms mark nothing.

    With `length`, an excerpt of about that many characters that contains the first match.
    """
    patterns = [_pattern(term) for term in terms if not term.is_excluded]
    pattern = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None
    if length is not None and len(text) > length:
        text = _excerpt(text, pattern, length)
    if pattern is None:
        return [(text, False)]
    pieces, position = [], 0
    for match in pattern.finditer(text):
        start, end = match.span()
        if start > position:
            pieces.append((text[position:start], False))
        if end > start:
            pieces.append((text[start:end], True))
        position = max(position, end)
    if position < len(text) or not pieces:
        pieces.append((text[position:], False))
    return pieces


def _pattern(term: Term) -> str:
    if term.kind is TermKind.PART:
        return re.escape(term.text)
    body = r"[\W_]+".join(re.escape(word) for word in term.text.split(" "))
    end = r"(?![^\W_])" if term.kind is TermKind.WORDS else ""
    return rf"(?<![^\W_]){body}{end}"


def _excerpt(text: str, pattern: re.Pattern[str] | None, length: int) -> str:
    match = pattern.search(text) if pattern else None
    start = max(0, match.start() - LEAD) if match and match.end() > length else 0
    end = start + length
    return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")
