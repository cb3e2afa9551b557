"""Links to the History with filters."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from django.urls import get_script_prefix, reverse

from dashboard.http.query_urls import with_query


def history_url(filters: Mapping[str, Any]) -> str:
    """The URL of the History with `filters`, named as in its query."""
    return with_query(_history_path(get_script_prefix()), filters)


@lru_cache
def _history_path(prefix: str) -> str:
    """The path of the History; cached, because pages link to it a thousand times."""
    return reverse("executions")
