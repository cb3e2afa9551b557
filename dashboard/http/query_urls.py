"""Addresses with a query."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

# A page of figures has a thousand addresses, with the same few values in them.
_quoted = lru_cache(maxsize=4096)(quote_plus)


def with_query(path: str, terms: Mapping[str, Any]) -> str:
    """The path, followed by the terms. A list repeats its name; None and empty text are left out, 0 is not."""
    query = query_string(terms)
    return f"{path}?{query}" if query else path


def query_string(terms: Mapping[str, Any]) -> str:
    """What follows the ?, by the rule of `with_query`."""
    pairs = [(name, _text(value)) for name, values in terms.items() for value in _each(values)]
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs if value)


def _each(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list | tuple) else [values]


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str("" if value is None else value)
