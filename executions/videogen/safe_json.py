"""Parses untrusted JSON, so that the result can be traversed, stored and displayed safely.

Python's parser accepts more than JSON and our databases do: it guesses UTF-16, accepts NaN and huge numbers, and
returns NUL characters and lone surrogates, which PostgreSQL rejects.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 64
# Integers must be smaller; no id, size or time has as many digits.
INTEGER_LIMIT = 10**30

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


class InvalidJson(ValueError):
    """`str()` says why, and completes the sentence "the body ..."."""


def decode(body: bytes, *, strict: bool = False) -> Any:
    """Parse a JSON text.

    NUL characters and lone surrogates are replaced by U+FFFD, numbers out of range by None. With `strict`, NUL
    characters, numbers out of range, duplicate keys and NaN are rejected instead. Raises only InvalidJson.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidJson("is not UTF-8 text") from None
    try:
        value = json.loads(text, object_pairs_hook=_unique if strict else None)
    except RecursionError:
        raise InvalidJson("is nested too deeply") from None
    except InvalidJson:
        raise
    except ValueError:
        # Not only JSONDecodeError: Python rejects integers of more than 4,300 digits.
        raise InvalidJson("is not JSON") from None
    return clean(value, strict=strict)


def clean(value: Any, *, strict: bool = False, depth: int = 0) -> Any:
    """A copy of a parsed value, made safe as by `decode`. Raises InvalidJson."""
    match value:
        case str():
            return _clean_text(value, strict)
        case bool() | None:
            return value
        case int() | float():
            if isinstance(value, int) and abs(value) < INTEGER_LIMIT:
                return value
            if isinstance(value, float) and math.isfinite(value):
                return value
            if strict:
                raise InvalidJson("has a number out of range")
            return None
        case dict() | list() if depth >= MAX_DEPTH:
            raise InvalidJson("is nested too deeply")
        case dict():
            return {
                _clean_text(str(key), strict): clean(item, strict=strict, depth=depth + 1)
                for key, item in value.items()
            }
        case list() | tuple():
            return [clean(item, strict=strict, depth=depth + 1) for item in value]
    raise InvalidJson(f"contains a {type(value).__name__}")


def _clean_text(text: str, strict: bool) -> str:
    if strict and "\x00" in text:
        raise InvalidJson("has a NUL character")
    # A service that cuts a text in the middle of an emoji sends a lone surrogate: replaced, not rejected.
    return text if text.isascii() and "\x00" not in text else _UNSTORABLE.sub(_REPLACEMENT, text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise InvalidJson("has a duplicate key")
    return mapping
