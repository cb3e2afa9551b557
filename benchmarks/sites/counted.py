"""Settings of Rushes with a response header that counts queries."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.http import HttpRequest, HttpResponse

from benchmarks.sites import QUERIES_HEADER
from dashboard.settings import *  # noqa: F403
from dashboard.settings import MIDDLEWARE as REAL_MIDDLEWARE

MIDDLEWARE = ["benchmarks.sites.counted.count_queries", *REAL_MIDDLEWARE]


def count_queries(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    def counted(request: HttpRequest) -> HttpResponse:
        queries: list[str] = []

        def note(execute: Callable[..., Any], sql: str, *arguments: Any) -> Any:
            queries.append(sql)
            return execute(sql, *arguments)

        with connection.execute_wrapper(note):
            response = get_response(request)
        response[QUERIES_HEADER] = str(len(queries))
        return response

    return counted
