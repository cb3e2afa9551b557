"""Where the terms of a search stand in a text."""

from __future__ import annotations

import re
from collections.abc import Iterable

from executions.search.text.terms import Kind, Term

# So much of a text stands before the first mark of an excerpt, in characters.
LEAD = 40


def marked(text: str, terms: Iterable[Term], *, length: int | None = None) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it is a match. Excluded terms mark nothing.

    With `length` it is an excerpt of about so many characters in which the first match can be seen.
    """
    patterns = [_pattern(term) for term in terms if not term.is_excluded]
    found = re.compile("|".join(patterns), re.IGNORECASE) if patterns else None
    if length is not None and len(text) > length:
        text = _excerpt(text, found, length)
    if found is None:
        return [(text, False)]
    pieces, at = [], 0
    for hit in found.finditer(text):
        start, end = hit.span()
        if start > at:
            pieces.append((text[at:start], False))
        if end > start:
            pieces.append((text[start:end], True))
        at = max(at, end)
    if at < len(text) or not pieces:
        pieces.append((text[at:], False))
    return pieces


def _pattern(term: Term) -> str:
    if term.kind is Kind.PART:
        return re.escape(term.text)
    body = r"[\W_]+".join(re.escape(word) for word in term.text.split(" "))
    end = r"(?![^\W_])" if term.kind is Kind.WORDS else ""
    return rf"(?<![^\W_]){body}{end}"


def _excerpt(text: str, found: re.Pattern[str] | None, length: int) -> str:
    hit = found.search(text) if found else None
    start = max(0, hit.start() - LEAD) if hit and hit.end() > length else 0
    end = start + length
    return ("…" if start else "") + text[start:end].strip() + ("…" if end < len(text) else "")
