"""Middleware: static files under ASGI, required sign-in, the client's address, and when a person was last seen."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.decorators import sync_and_async_middleware
from django.utils.http import url_has_allowed_host_and_scheme
from whitenoise.middleware import WhiteNoiseMiddleware

from dashboard.http.client_ip import client_address
from executions import policy
from executions.core import request_context
from executions.team import members

logger = logging.getLogger(__name__)

# The next handler, sync or async.
Next = Callable[[HttpRequest], Any]


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise without streaming, which warns or hangs under ASGI.

    Static files are small, precompressed, and cached by browsers for ever, so whole responses are fine.
    """

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        static_response = static_file.get_response(request.method, request.META)
        content = static_response.file.read() if static_response.file is not None else b""
        if static_response.file is not None:
            static_response.file.close()
        response = HttpResponse(content, status=int(static_response.status))
        response.headers.pop("Content-Type", None)
        for name, value in static_response.headers:
            response[name] = value
        return response


class RequireSignIn(LoginRequiredMiddleware):
    """Redirect to the sign-in page, and from there to the page that was requested.

    After a form that was sent without a session, that is the page which showed the form. Django's middleware names the
    form's own URL, which answers a GET with 405.
    """

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponseRedirect:
        if request.method in ("GET", "HEAD"):
            response: HttpResponseRedirect = super().handle_no_permission(request, view_func)
            return response
        return redirect_to_login(
            _referring_page(request), self.get_login_url(view_func), self.get_redirect_field_name(view_func)
        )


def _referring_page(request: HttpRequest) -> str:
    """Path and query of the page that sent the request; the start page if the header names none of this site."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return "/"
    page = urlsplit(referer)
    return page._replace(scheme="", netloc="", fragment="").geturl() or "/"


@sync_and_async_middleware
def record_address(get_response: Next) -> Next:
    """Store the client's address with events that are written during the request."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponse:
            with request_context.from_address(client_address(request)):
                response: HttpResponse = await get_response(request)
            return response

        return async_middleware

    def sync_middleware(request: HttpRequest) -> HttpResponse:
        with request_context.from_address(client_address(request)):
            response: HttpResponse = get_response(request)
        return response

    return sync_middleware


@sync_and_async_middleware
def handle_not_allowed(get_response: Next) -> Next:
    """Respond with 403 to every action that the policy refuses."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponse:
            response: HttpResponse = await get_response(request)
            return response

        async_middleware.process_exception = _forbidden  # type: ignore[attr-defined]
        return async_middleware

    def sync_middleware(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = get_response(request)
        return response

    sync_middleware.process_exception = _forbidden  # type: ignore[attr-defined]
    return sync_middleware


def _forbidden(request: HttpRequest, error: Exception) -> HttpResponse | None:
    if isinstance(error, policy.NotAllowed):
        return render(request, "403.html", {"reason": str(error)}, status=403)
    return None


# Seconds between two updates of a person's last visit.
VISIT_INTERVAL = 300.0
_last_recorded: dict[int, float] = {}


@sync_and_async_middleware
def record_visit(get_response: Next) -> Next:
    """Update the person's last visit, at most every VISIT_INTERVAL seconds."""
    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponse:
            response: HttpResponse = await get_response(request)
            if (person := _person(request)) is not None and _is_due(person):
                await sync_to_async(_record_visit)(person)
            return response

        return async_middleware

    def sync_middleware(request: HttpRequest) -> HttpResponse:
        response: HttpResponse = get_response(request)
        if (person := _person(request)) is not None and _is_due(person):
            _record_visit(person)
        return response

    return sync_middleware


def _person(request: HttpRequest) -> int | None:
    """The signed-in person who opened this page. Async views are ignored, because pages call them automatically."""
    match = request.resolver_match
    if match is None or iscoroutinefunction(match.func) or not getattr(match.func, "login_required", True):
        return None
    # Only if the view has already loaded the user: an event loop must not query the database here.
    # After signing out, the cached user remains but request.user is anonymous.
    return request.user.pk if hasattr(request, "_cached_user") else None


def _is_due(user_id: int) -> bool:
    now = time.monotonic()
    if now - _last_recorded.get(user_id, -VISIT_INTERVAL) < VISIT_INTERVAL:
        return False
    _last_recorded[user_id] = now
    return True


def _record_visit(user_id: int) -> None:
    try:
        members.record_presence(user_id)
    except DatabaseError as error:
        logger.warning("Could not store the last visit of user %d: %s", user_id, error)
