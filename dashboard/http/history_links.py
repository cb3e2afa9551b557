"""Links to the History with filters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.urls import get_script_prefix, reverse

from dashboard.http.query_urls import with_query


def history_url(filters: Mapping[str, Any]) -> str:
    """The address of the history with `filters`, named as in its query."""
    return with_query(_history(get_script_prefix()), filters)


@lru_cache
def _history(prefix: str) -> str:
    """Its path below this prefix."""
    return reverse("executions")
