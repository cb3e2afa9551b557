"""The error page for requests that failed with an exception."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

DATABASE_UNAVAILABLE = (
    "The database cannot be reached, or its disk is full. Nothing was changed. Running jobs continue."
)


def server_error(request: HttpRequest) -> HttpResponse:
    """503 with the reason while the database is unavailable, which is temporary and not a bug; otherwise 500."""
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        response = render(None, "503.html", {"reason": DATABASE_UNAVAILABLE}, status=503)
        response["Retry-After"] = "5"
        return response
    return defaults.server_error(request)
