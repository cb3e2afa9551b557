"""URLs with a query string."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from dashboard.http.query_urls import query_string, with_query


@pytest.mark.parametrize(
    ("terms", "url"),
    [
        ({}, "/x/"),
        ({"q": "", "after": None, "tool": []}, "/x/"),
        ({"newer": 0}, "/x/?newer=0"),
        ({"tool": ["a", "b"], "q": "a pier & more"}, "/x/?tool=a&tool=b&q=a+pier+%26+more"),
        ({"since": date(2026, 3, 31)}, "/x/?since=2026-03-31"),
        ([("tool", "b"), ("q", ""), ("status", "failed"), ("tool", "a")], "/x/?tool=b&status=failed&tool=a"),
    ],
)
def test_a_url_has_only_terms_with_a_value(terms: Any, url: str) -> None:
    assert with_query("/x/", terms) == url
    assert query_string(terms) == url.partition("?")[2]
