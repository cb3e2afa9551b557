"""Addresses of the history with its filters, for whatever leads there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse


def history_url(filters: Mapping[str, Any]) -> str:
    """`filters` by the names that the history's own address has; a list repeats its name, what is empty stays out."""
    pairs = [(name, _text(value)) for name, values in filters.items() for value in _each(values)]
    query = urlencode([(name, value) for name, value in pairs if value])
    return reverse("executions") + (f"?{query}" if query else "")


def _each(values: Any) -> Iterable[Any]:
    return values if isinstance(values, list | tuple) else [values]


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str("" if value is None else value)
