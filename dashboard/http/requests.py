"""Request types for annotations. At run time a request is Django's HttpRequest."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails


class AuthenticatedRequest(HttpRequest):
    """A request that passed RequireSignIn: that of every view that is not `login_not_required`.

    Views that use the signed-in user, or anything else that middleware adds, take this type.
    """

    user: User
    """The signed-in user, never anonymous."""
    auser: Callable[[], Coroutine[Any, Any, User]]
    """The same, for async views."""
    htmx: HtmxDetails
    """What htmx reports about the request; falsy if the browser requested the page itself."""
    live_topic: str
    """The topic of the page's live updates. Set by the view before rendering."""
