"""Addresses of the history with its filters, for whatever leads there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

from django.urls import get_script_prefix, reverse

# A page of figures has a thousand of these addresses, with the same few values in them.
_quoted = lru_cache(maxsize=4096)(quote_plus)


def history_url(filters: Mapping[str, Any]) -> str:
    """`filters` by the names that the history's own address has; a list repeats its name, what is empty stays out."""
    pairs = [(name, _text(value)) for name, values in filters.items() for value in _each(values)]
    query = "&".join(f"{name}={_quoted(value)}" for name, value in pairs if value)
    return _history(get_script_prefix()) + (f"?{query}" if query else "")


@lru_cache
def _history(prefix: str) -> str:
    """Its path below this prefix."""
    return reverse("executions")


def _each(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list | tuple) else [values]


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str("" if value is None else value)
