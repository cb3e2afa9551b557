"""Which requests may carry a body that is too large for memory, and how it travels to Django as a file on disk."""

from __future__ import annotations

from importlib import import_module

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie

from executions.files import uploads

# Bytes: the largest file, plus room for the form around it where there is no script.
MAX_BODY_BYTES = uploads.MAX_BYTES + 1024 * 1024
# Key of the ASGI scope under which the server passes the body's file to the handler.
BODY_SCOPE_KEY = "rushes.body"


def is_signed_in(cookies: str) -> bool:
    """Whether a Cookie header belongs to a session of an active person."""
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    if not key:
        return False
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    return bool(user.is_authenticated and user.is_active)
