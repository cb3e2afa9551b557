"""What a person reads when a request could not be answered at all."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views import defaults

AWAY = "The database cannot be reached, or its disk is full. Nothing was changed, and jobs that are running go on."


def server_error(request: HttpRequest) -> HttpResponse:
    """A database that is away is no mistake of ours, and passes: 503, in words. Anything else is a 500."""
    if isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        answer = render(None, "503.html", {"reason": AWAY}, status=503)
        answer["Retry-After"] = "5"
        return answer
    return defaults.server_error(request)
