"""Builds URLs with a query string."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

type Terms = Mapping[str, Any] | Iterable[tuple[str, Any]]

# The Insights page has a thousand links that share few values.
_quoted = lru_cache(maxsize=4096)(quote_plus)


def with_query(path: str, terms: Terms) -> str:
    """The path with a query of `terms`, in their order. Lists repeat their name; None and empty text are omitted, 0 is not."""
    query = query_string(terms)
    return f"{path}?{query}" if query else path


def query_string(terms: Terms) -> str:
    """Only the query string, by the rules of `with_query`."""
    items = terms.items() if isinstance(terms, Mapping) else terms
    pairs = [(name, _text(value)) for name, values in items for value in _each(values)]
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs if value)


def _each(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list | tuple) else [values]


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str("" if value is None else value)
