"""The types of requests that views take. Only annotations: at run time a request is Django's own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class AuthenticatedRequest(HttpRequest):
    """A request past `LoginRequiredMiddleware`, as every view gets it that is not `login_not_required`.

    A view that uses who is signed in, or anything else that our middleware adds, takes this type.
    """

    user: User
    """The person who is signed in, never anonymous."""
    auser: Callable[[], Coroutine[Any, Any, User]]
    """The same, for async views."""
    htmx: HtmxDetails
    """What htmx reports about the request; false when the browser itself asked for the page."""
    live_topic: str
    """What the page shows, for its live updates. A view sets it before it renders."""
