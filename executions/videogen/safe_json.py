"""Reads JSON that comes from outside, so that whatever it returns can be walked, stored and shown safely.

Python's parser is more generous than JSON and than our databases: it guesses UTF-16, takes NaN and numbers without
end, and returns NUL and half surrogate pairs, which PostgreSQL refuses.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

DEEPEST = 64
# More digits than any id, size or time has.
LARGEST_WHOLE = 10**30

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


class Unreadable(ValueError):
    """`str()` says why, as the end of the sentence "the body ..."."""


def decode(body: bytes, *, strict: bool = False) -> Any:
    """The value of a JSON text.

    What JSON allows and nobody means (NUL, numbers out of all range) becomes harmless: a replacement character, None.
    With `strict` that, a key given twice and NaN are refused instead. Raises Unreadable, and nothing else.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("is not UTF-8 text") from None
    try:
        value = json.loads(text, object_pairs_hook=_unique if strict else None)
    except RecursionError:
        raise Unreadable("is nested too deeply") from None
    except Unreadable:
        raise
    except ValueError:
        # Not only JSONDecodeError: Python refuses to make a number of more than 4,300 digits.
        raise Unreadable("is not JSON") from None
    return cleaned(value, strict=strict)


def cleaned(value: Any, *, strict: bool = False, depth: int = 0) -> Any:
    """A copy of a parsed value, with the same care. Raises Unreadable."""
    match value:
        case str():
            return _clean_text(value, strict)
        case bool() | None:
            return value
        case int() | float():
            if isinstance(value, int) and abs(value) < LARGEST_WHOLE:
                return value
            if isinstance(value, float) and math.isfinite(value):
                return value
            if strict:
                raise Unreadable("has a number out of all range")
            return None
        case dict() | list() if depth >= DEEPEST:
            raise Unreadable("is nested too deeply")
        case dict():
            return {
                _clean_text(str(key), strict): cleaned(item, strict=strict, depth=depth + 1)
                for key, item in value.items()
            }
        case list() | tuple():
            return [cleaned(item, strict=strict, depth=depth + 1) for item in value]
    raise Unreadable(f"has a {type(value).__name__} inside")


def _clean_text(text: str, strict: bool) -> str:
    if strict and "\x00" in text:
        raise Unreadable("has a NUL character")
    # Half a surrogate pair is what a service gets that cuts a text in the middle of an emoji: kept, not refused.
    return text if text.isascii() and "\x00" not in text else _UNSTORABLE.sub(_REPLACEMENT, text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("has a key twice")
    return found
